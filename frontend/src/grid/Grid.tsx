import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { thumbUrl, type Photo } from "../api";
import { nameOf } from "../format";
import { Icon } from "../Icon";
import { texts } from "../texts";
import { urlOf, type Query } from "../urlState";
import "./Grid.css";

type Props = {
  photos: Photo[];
  query: Query;
  onOpen: (filename: string) => void;
  onLike: (filename: string) => void;
  label?: string;
};

const SIZES = [256, 512, 1024] as const;

const ratioOf = ({ width, height }: Photo) => width / height || 1.5;

/**
 * Let the browser take the smallest file that is sharp; a size is that of the longer side. The
 * order counts: the image is lazy before it gets these, and `src` is the last. Else a browser may
 * choose before the image has a width, when `auto` stands for that of the window: the largest file.
 */
function sourcesOf(photo: Photo) {
  const ratio = ratioOf(photo);
  const width = (size: number) => Math.ceil(size * Math.min(1, ratio)); // 0 would be none
  return {
    sizes: `auto, ${Math.round(ratio * 240)}px`,
    srcset: SIZES.map((size) => `${thumbUrl(photo, size)} ${width(size)}w`).join(", "),
    src: thumbUrl(photo, 512),
  };
}

/** What a click on it does, and when the Tab key stops there, is the grid's to say. */
function Card({ photo, query }: { photo: Photo; query: Query }) {
  const { filename, score, width, height } = photo;
  const name = nameOf(filename);
  return (
    <li class="photo" data-photo={filename} style={{ "--ratio": ratioOf(photo) }}>
      <a href={urlOf(query, filename)} tabIndex={-1}>
        <img
          loading="lazy"
          decoding="async"
          width={width}
          height={height}
          alt={name}
          onLoad={({ currentTarget }) => (currentTarget.style.opacity = "")}
          onError={({ currentTarget }) => (currentTarget.style.opacity = "0")} // not a broken one
          {...sourcesOf(photo)}
        />
        <span class="caption" aria-hidden="true">
          <span>{name}</span>
          {score !== null && <span>{score.toFixed(2)}</span>}
        </span>
      </a>
      <button class="round" aria-label={texts.moreLike(name)} title={texts.moreLikeThis} tabIndex={-1}>
        <Icon name="similar" />
      </button>
    </li>
  );
}

/** The card that an arrow key leads to: along the row, or to what is nearest in the next one. */
function neighbour(cards: HTMLElement[], from: number, key: string): HTMLElement | undefined {
  if (key === "Home") return cards[0];
  if (key === "End") return cards.at(-1);
  if (key === "ArrowRight") return cards[from + 1];
  if (key === "ArrowLeft") return cards[from - 1];
  const step = key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0;
  if (step === 0) return;

  const middle = (card: HTMLElement) => card.offsetLeft + card.offsetWidth / 2;
  const start = cards[from]!;
  let first = from;
  while (cards[first]?.offsetTop === start.offsetTop) first += step;
  let best = cards[first];
  for (let i = first; cards[i] && cards[i]!.offsetTop === best!.offsetTop; i += step) {
    const distance = (card: HTMLElement) => Math.abs(middle(card) - middle(start));
    if (distance(cards[i]!) < distance(best!)) best = cards[i];
  }
  return best;
}

export function Grid({ photos, query, onOpen, onLike, label = texts.photosLabel }: Props) {
  const list = useRef<HTMLUListElement>(null);
  const [current, setCurrent] = useState("");

  // The same elements as before are left alone, and with them hundreds of photos at each step.
  const cards = useMemo(
    () => photos.map((photo) => <Card key={photo.filename} photo={photo} query={query} />),
    [photos, query],
  );

  // One stop for the Tab key, however many photos there are; the arrow keys lead on from it.
  useLayoutEffect(() => {
    const all = [...list.current!.children] as HTMLElement[];
    const stop = all.find((card) => card.dataset.photo === current) ?? all[0];
    const links = stop?.querySelectorAll<HTMLElement>("a, button") ?? [];
    for (const link of links) link.tabIndex = 0;
    return () => links.forEach((link) => (link.tabIndex = -1));
  }, [photos, current]);

  function click(event: MouseEvent) {
    const target = event.target as Element;
    const filename = target.closest<HTMLElement>("[data-photo]")?.dataset.photo;
    if (!filename) return;
    if (target.closest("button")) return onLike(filename);
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab or window of its own
    event.preventDefault();
    onOpen(filename);
  }

  function move(event: KeyboardEvent) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return document.getElementById("q")!.focus();
    const all = [...list.current!.children] as HTMLElement[];
    const from = all.findIndex((card) => card.contains(event.target as Node));
    const next = neighbour(all, from, event.key);
    if (!next) return;
    event.preventDefault();
    next.querySelector("a")!.focus();
  }

  function follow({ target }: FocusEvent) {
    setCurrent((target as Element).closest<HTMLElement>("[data-photo]")?.dataset.photo ?? "");
  }

  return (
    <ul
      ref={list}
      class="photos"
      role="list"
      aria-label={label}
      onClick={click}
      onKeyDown={move}
      onFocusIn={follow}
    >
      {cards}
    </ul>
  );
}
