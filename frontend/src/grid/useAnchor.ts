import { useRef } from "preact/hooks";

/**
 * Keep the photo that one looks at where it is, while the others are laid out anew around it:
 * `hold` it before, and `restore` its place after.
 */
export function useAnchor(): { hold: () => void; restore: () => void } {
  const held = useRef<{ name: string; top: number } | null>(null);

  function hold() {
    held.current = null;
    if (scrollY === 0) return;
    const focused = document.activeElement?.closest<HTMLElement>("[data-photo]");
    const inSight = (tile: HTMLElement | null | undefined) => {
      const box = tile?.getBoundingClientRect();
      return box && box.bottom > 0 && box.top < innerHeight ? tile : null;
    };
    const tile =
      inSight(focused) ??
      document
        .elementFromPoint(innerWidth / 3, innerHeight / 3)
        ?.closest<HTMLElement>("[data-photo]");
    held.current = tile
      ? { name: tile.dataset.photo!, top: tile.getBoundingClientRect().top }
      : null;
  }

  function restore() {
    if (!held.current) return;
    const { name, top } = held.current;
    held.current = null;
    const tile = document.querySelector(`[data-photo="${CSS.escape(name)}"]`);
    if (!tile) return;
    // The browser would hold something of its own choice, besides.
    const { style } = document.documentElement;
    style.overflowAnchor = "none";
    scrollBy({ top: tile.getBoundingClientRect().top - top, behavior: "instant" });
    requestAnimationFrame(() => requestAnimationFrame(() => (style.overflowAnchor = "")));
  }

  return { hold, restore };
}
