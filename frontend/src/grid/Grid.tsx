import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Photo } from "../api";
import { texts } from "../texts";
import type { Query } from "../urlState";
import { rowHeight, type Density } from "./density";
import { dragOut } from "./dragOut";
import "./Grid.css";
import { Heading } from "./Heading";
import { pressKey } from "./gridKeys";
import { groupOf, layOut, monthOf, splitBy, type Row } from "./layout";
import { retryFailed } from "./placeholder";
import { SelectionBar } from "./SelectionBar";
import { Tile } from "./Tile";
import { useAnchor } from "./useAnchor";
import { useLongPress } from "./useLongPress";
import { useMarquee } from "./useMarquee";
import { useRows } from "./useRows";
import { useSelection } from "./useSelection";
import { useWidth } from "./useWidth";

type Props = {
  photos: Photo[];
  query: Query;
  /** Whether they are in the order of time, and have headings then. */
  byTime: boolean;
  /** How many photos each month has, where that is known. */
  counts: ReadonlyMap<string, number>;
  /** Whether no photo follows: the last row is shown as it is. */
  isComplete: boolean;
  density: Density;
  /** px that are kept free beside the photos. */
  margin: number;
  /** Another number as soon as the server is back after it was away. */
  recovered: number;
  onOpen: (filename: string) => void;
  onLike: (filename: string) => void;
  onAsk: (query: Query) => void;
  /** What the photos are; and whether they are one row, which scrolls sideways. */
  label?: string;
  isOneRow?: boolean;
};

export function Grid(props: Props) {
  const { photos, query, byTime, counts, isComplete, density, margin, recovered } = props;
  const { onOpen, onLike, onAsk, label = texts.photosLabel, isOneRow = false } = props;
  const grid = useRef<HTMLDivElement>(null);
  const [current, setCurrent] = useState("");
  const [unfolded, setUnfolded] = useState<ReadonlySet<string>>(new Set());
  const { hold, restore } = useAnchor();
  const width = useWidth(grid, margin, hold);
  const height = rowHeight(density.level);

  const shown = useMemo(
    () =>
      photos.flatMap((photo) =>
        unfolded.has(photo.filename) ? [photo, ...(photo.similar ?? [])] : [photo],
      ),
    [photos, unfolded],
  );
  const sections = useMemo(() => {
    const laidOut = splitBy(byTime ? monthOf : groupOf, shown).map(({ key, photos }) => ({
      key,
      photos,
      rows: layOut(photos, isOneRow ? Infinity : width, height),
    }));
    // The last row waits for those that are to fill it: then it need not change.
    if (!isComplete && laidOut.at(-1)?.rows.at(-1)?.isFull === false) laidOut.at(-1)!.rows.pop();
    return laidOut.filter(({ rows }) => rows.length);
  }, [shown, byTime, width, height, isComplete]);

  const selection = useSelection(grid, shown);
  const press = useLongPress(grid, shown, selection);
  useMarquee(grid, selection, !isOneRow);
  const rowOf = useRows(
    (row: Row, similar) =>
      row.photos.map((photo) => (
        <Tile
          key={photo.filename}
          photo={photo}
          query={query}
          height={height}
          isSimilar={similar.has(photo.filename)}
          isUnfolded={unfolded.has(photo.filename)}
          byTime={byTime}
        />
      )),
    shown,
    unfolded,
    `${height} ${byTime}`,
    query,
  );

  useLayoutEffect(restore, [width, height]);

  // One stop for the Tab key, however many photos there are; the arrow keys lead on from it.
  useLayoutEffect(() => {
    const named = grid.current!.querySelector(`[data-photo="${CSS.escape(current)}"]`);
    const stop = named ?? grid.current!.querySelector("[data-photo]");
    const links = stop?.querySelectorAll<HTMLElement>("a, button") ?? [];
    for (const link of links) link.tabIndex = 0;
    return () => links.forEach((link) => (link.tabIndex = -1));
  }, [sections, current]);

  // The bar takes the focus with it as it goes.
  useLayoutEffect(() => {
    if (!selection.isActive) return;
    return () => {
      const stop = grid.current?.querySelector<HTMLElement>('a[tabindex="0"]');
      if (document.activeElement === document.body) stop?.focus({ preventScroll: true });
    };
  }, [selection.isActive]);

  useEffect(() => {
    if (recovered) retryFailed(grid.current!);
  }, [recovered]);

  function changeDensity(by: number) {
    hold();
    density.change(by);
  }

  const find = (event: Event) => {
    const tile = (event.target as Element).closest<HTMLElement>("[data-photo]");
    return tile && shown.find(({ filename }) => filename === tile.dataset.photo);
  };

  function unfold(filename: string) {
    const next = new Set(unfolded);
    if (!next.delete(filename)) next.add(filename);
    setUnfolded(next);
  }

  function click(event: MouseEvent) {
    const photo = find(event);
    if (!photo) return;
    const { filename } = photo;
    const target = event.target as Element;
    if (press.wasPress()) return event.preventDefault();
    if (target.closest(".select")) return selection.toggle(filename, event.shiftKey);
    if (target.closest(".fold")) return unfold(filename);
    if (target.closest(".like")) return onLike(filename);
    if (event.ctrlKey || event.metaKey) return; // a tab of its own
    if (event.shiftKey && !selection.isActive) return; // a window of its own
    event.preventDefault();
    if (selection.isActive) selection.toggle(filename, event.shiftKey);
    else onOpen(filename);
  }

  return (
    <>
      <div
        ref={grid}
        class={["grid", selection.isActive && "selecting", query.duplicates && "compared"]
          .filter(Boolean)
          .join(" ")}
        style={{ paddingRight: `${margin}px` }}
        onClick={click}
        onKeyDown={(event) =>
          pressKey(event, grid.current!, { photos: shown, selection, changeDensity })
        }
        onFocusIn={(event) => setCurrent(find(event)?.filename ?? "")}
        onDragStart={(event) => {
          const photo = find(event);
          if (press.isOn()) event.preventDefault();
          else if (photo) dragOut(event, photo);
        }}
        onWheel={(event) => {
          if (!event.ctrlKey) return;
          event.preventDefault();
          hold();
          density.wheel(event.deltaY);
        }}
        {...press.events}
      >
        {sections.map(({ key, photos, rows }) => (
          <section key={key} data-month={(byTime && key) || undefined}>
            {key && <Heading month={byTime ? key : ""} count={counts.get(key)} photos={photos} />}
            <div class="photos" role="list" aria-label={label}>
              {rows.map(rowOf)}
            </div>
          </section>
        ))}
      </div>
      {selection.isActive && <SelectionBar selection={selection} query={query} onAsk={onAsk} />}
    </>
  );
}
