import type { RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

/** The width of the page's main part within its padding: known before the grid is there. */
function widthOfMain(): number {
  const main = document.querySelector("main");
  if (!main) return innerWidth;
  const { paddingLeft, paddingRight } = getComputedStyle(main);
  return main.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
}

/**
 * How wide the grid is, in px, from its first rendering on; `margin` is kept free beside it.
 * `onChange` is called before it is laid out for another width.
 */
export function useWidth(grid: RefObject<HTMLElement | null>, margin: number, onChange: () => void) {
  const [width, setWidth] = useState(() => widthOfMain());
  const change = useRef(onChange);
  change.current = onChange;

  useLayoutEffect(() => {
    let known = width;
    const observer = new ResizeObserver(() => {
      const now = widthOfMain();
      if (now === known) return; // it is higher than it was, as photos came
      known = now;
      change.current();
      setWidth(now);
    });
    observer.observe(grid.current!.parentElement!);
    return () => observer.disconnect();
  }, []);

  return Math.max(1, width - margin);
}
