import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Photo } from "../api";
import { followPointer } from "./edgeScroll";
import type { Selection } from "./useSelection";

const PRESS_MS = 450;
const TREMBLE = 10; // px that a finger may move

const nameAt = (x: number, y: number) =>
  document.elementFromPoint(x, y)?.closest<HTMLElement>("[data-photo]")?.dataset.photo;

/**
 * A finger that stays on a photo selects it, and as it moves on then, all up to where it is; the
 * click that ends it does nothing more.
 */
export function useLongPress(
  grid: RefObject<HTMLElement | null>,
  photos: Photo[],
  selection: Selection,
) {
  const now = useRef({ photos, selection });
  now.current = { photos, selection };
  const timer = useRef(0);
  const start = useRef({ x: 0, y: 0 });
  const pressed = useRef(false);
  const finger = useRef<ReturnType<typeof followPointer> | null>(null);

  const end = () => {
    clearTimeout(timer.current);
    finger.current?.end();
    finger.current = null;
  };

  // A finger that selects does not scroll.
  useEffect(() => {
    const hold = (event: TouchEvent) => finger.current && event.preventDefault();
    const element = grid.current!;
    element.addEventListener("touchmove", hold, { passive: false });
    return () => (end(), element.removeEventListener("touchmove", hold));
  }, []);

  function press(event: PointerEvent, first: string) {
    pressed.current = true;
    const before = now.current.selection.photos.map(({ filename }) => filename);
    now.current.selection.toggle(first);
    let last = first;
    finger.current = followPointer(event, (x, y) => {
      const name = nameAt(x, y);
      if (!name || name === last) return;
      last = name;
      const names = now.current.photos.map(({ filename }) => filename);
      const [from, to] = [names.indexOf(first), names.indexOf(name)].sort((a, b) => a - b);
      if (from! >= 0) now.current.selection.replace([...before, ...names.slice(from, to! + 1)]);
    });
  }

  return {
    /** Whether this click ends a press; asked once. */
    wasPress() {
      const was = pressed.current;
      pressed.current = false;
      return was;
    },
    /** Whether a finger selects: the browser would have it drag the photo away. */
    isOn: () => finger.current !== null,
    events: {
      onPointerDown(event: PointerEvent) {
        pressed.current = false;
        end();
        const tile = (event.target as Element).closest<HTMLElement>("[data-photo]");
        if (event.pointerType !== "touch" || !event.isPrimary || !tile) return;
        start.current = { x: event.clientX, y: event.clientY };
        timer.current = setTimeout(press, PRESS_MS, event, tile.dataset.photo!);
      },
      onPointerMove(event: PointerEvent) {
        const { x, y } = start.current;
        if (finger.current) finger.current.move(event);
        else if (Math.hypot(event.clientX - x, event.clientY - y) > TREMBLE) end();
      },
      onPointerUp: end,
      onPointerCancel: end,
      // The browser's own menu for a link would come with it.
      onContextMenu: (event: Event) => pressed.current && event.preventDefault(),
    },
  };
}
