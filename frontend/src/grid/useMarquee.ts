import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { followPointer } from "./edgeScroll";
import "./Marquee.css";
import type { Selection } from "./useSelection";

const THRESHOLD = 5; // px that a click may move

type Box = { left: number; right: number; top: number; bottom: number };
type Place = { name: string; left: number; right: number };

/**
 * The photos that a rectangle of the window touches. A row is asked once where its photos are, as it
 * is laid out for that if it is out of sight.
 */
function namesWithin(grid: HTMLElement, box: Box, known: Map<Element, Place[]>): string[] {
  function placesIn(row: Element): Place[] {
    const places = [...row.children].map((tile) => {
      const { left, right } = tile.getBoundingClientRect();
      return { name: (tile as HTMLElement).dataset.photo!, left, right };
    });
    known.set(row, places);
    return places;
  }
  const names: string[] = [];
  for (const row of grid.querySelectorAll(".row")) {
    const { top, bottom } = row.getBoundingClientRect();
    if (top >= box.bottom || bottom <= box.top) continue;
    for (const { name, left, right } of known.get(row) ?? placesIn(row))
      if (left < box.right && right > box.left) names.push(name);
  }
  return names;
}

/** Whether a drag from here is free for it; with Shift a photo is not dragged out of the window. */
function mayBegin({ button, shiftKey, target }: MouseEvent, grid: HTMLElement): boolean {
  const place = target as Element;
  if (button !== 0 || place.closest("button")) return false;
  const photo = place.closest("[data-photo]");
  if (photo) return shiftKey && grid.contains(photo);
  return grid.contains(place) || place.contains(grid);
}

/**
 * Lets a mouse draw a rectangle, from beside the photos or with Shift from anywhere, that selects
 * what it touches: with Ctrl or Shift besides what was selected before. Escape gives it up.
 */
export function useMarquee(
  grid: RefObject<HTMLElement | null>,
  selection: Selection,
  isOn: boolean,
): void {
  const current = useRef(selection);
  current.current = selection;

  useEffect(() => {
    if (!isOn) return;
    const main = grid.current!.closest("main")!;
    let giveUp = () => {};

    function begin(event: MouseEvent) {
      if (!mayBegin(event, grid.current!)) return;
      event.preventDefault(); // or text would be selected
      (document.activeElement as HTMLElement | null)?.blur();
      const before = current.current.photos.map(({ filename }) => filename);
      const kept = event.shiftKey || event.ctrlKey || event.metaKey ? before : [];
      const [x0, y0] = [event.clientX, event.clientY + scrollY];
      const frame = document.createElement("div");
      frame.className = "marquee";
      const places = new Map<Element, Place[]>();
      let known = "";

      const pointer = followPointer(event, (x, y) => {
        const [top, bottom] = [Math.min(y0 - scrollY, y), Math.max(y0 - scrollY, y)];
        const [left, right] = [Math.min(x0, x), Math.max(x0, x)];
        if (!frame.isConnected) {
          if (Math.hypot(right - left, bottom - top) < THRESHOLD) return;
          document.body.append(frame);
        }
        const [width, height] = [right - left, bottom - top];
        frame.style.inset = `${top}px auto auto ${left}px`;
        Object.assign(frame.style, { width: `${width}px`, height: `${height}px` });
        const names = [...kept, ...namesWithin(grid.current!, { left, right, top, bottom }, places)];
        if (names.join("\n") === known) return;
        known = names.join("\n");
        current.current.replace(names);
      });

      // Let go of where no page hears of it, the button is up.
      const move = (event: MouseEvent) => (event.buttons ? pointer.move(event) : end());

      function end() {
        pointer.end();
        removeEventListener("mousemove", move);
        removeEventListener("mouseup", end);
        removeEventListener("keydown", key, true);
        // The click that follows is the end of it, and no more.
        if (frame.isConnected) addEventListener("click", swallow, { capture: true, once: true });
        setTimeout(() => removeEventListener("click", swallow, true));
        frame.remove();
        giveUp = () => {};
      }

      function key(event: KeyboardEvent) {
        if (event.key !== "Escape") return;
        event.preventDefault();
        event.stopPropagation();
        current.current.replace(before);
        end();
      }

      giveUp = end;
      addEventListener("mousemove", move);
      addEventListener("mouseup", end);
      addEventListener("keydown", key, true);
    }

    main.addEventListener("mousedown", begin);
    return () => {
      main.removeEventListener("mousedown", begin);
      giveUp();
    };
  }, [isOn]);
}

function swallow(event: Event) {
  event.preventDefault();
  event.stopPropagation();
}
