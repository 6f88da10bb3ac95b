import { useEffect, useRef, useState } from "preact/hooks";

const IDLE_MS = 3000;
const REDUCED = matchMedia("(prefers-reduced-motion: reduce)");
const HAS_MOUSE = matchMedia("(hover: hover)");

/**
 * Whether the controls are out of the way: for a mouse that has not moved for a while, or after a
 * tap. Never while the keyboard is in use, nor by themselves for who wants nothing to move.
 */
export function useIdle(byKeyboard: boolean) {
  const [isIdle, setIdle] = useState(false);
  const timer = useRef(0);

  function wake(event?: PointerEvent) {
    if (event?.pointerType === "touch") return; // a finger taps
    clearTimeout(timer.current);
    setIdle(false);
    const isOnControl = (event?.target as Element | undefined)?.closest(".fades, .panel");
    const isMouse = event ? event.pointerType === "mouse" : HAS_MOUSE.matches;
    if (isMouse && !isOnControl && !REDUCED.matches) {
      timer.current = setTimeout(() => setIdle(true), IDLE_MS);
    }
  }

  function stayAwake() {
    clearTimeout(timer.current);
    setIdle(false);
  }

  useEffect(() => {
    if (!byKeyboard) wake();
    return () => clearTimeout(timer.current);
  }, []);

  return { isIdle, wake, stayAwake, toggle: () => setIdle((was) => !was) };
}
