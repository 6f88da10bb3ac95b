import { useRef } from "preact/hooks";

const PRESS_MS = 450;
const TREMBLE = 10; // px that a finger may move

/** What a finger that stays on a photo does; the click that ends it does nothing more. */
export function useLongPress(onPress: (filename: string) => void) {
  const timer = useRef(0);
  const start = useRef({ x: 0, y: 0 });
  const pressed = useRef(false);
  const end = () => clearTimeout(timer.current);

  return {
    /** Whether this click ends a press; asked once. */
    wasPress() {
      const was = pressed.current;
      pressed.current = false;
      return was;
    },
    events: {
      onPointerDown(event: PointerEvent) {
        pressed.current = false;
        const tile = (event.target as Element).closest<HTMLElement>("[data-photo]");
        if (event.pointerType !== "touch" || !event.isPrimary || !tile) return end();
        start.current = { x: event.clientX, y: event.clientY };
        timer.current = setTimeout(() => {
          pressed.current = true;
          onPress(tile.dataset.photo!);
        }, PRESS_MS);
      },
      onPointerMove({ clientX, clientY }: PointerEvent) {
        const { x, y } = start.current;
        if (Math.hypot(clientX - x, clientY - y) > TREMBLE) end();
      },
      onPointerUp: end,
      onPointerCancel: end,
      // The browser's own menu for a link would come with it.
      onContextMenu: (event: Event) => pressed.current && event.preventDefault(),
    },
  };
}
