import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { saveInHistory } from "./urlState";
import type { SearchState } from "./useSearch";

const PAUSE_MS = 100; // browsers limit how often a page may write to its history

/**
 * Keep in the history where the visitor is on the page, and lead there again: `saved` is where that
 * was, if `key` was visited before. Returns a function that saves the place at once, for leaving.
 */
export function useScrollMemory(key: string, saved: number | undefined, state: SearchState) {
  const target = useRef<number | null>(null); // where to scroll to, once the photos are there

  useLayoutEffect(() => {
    target.current = saved ?? null;
    if (saved === undefined) scrollTo(0, 0);
  }, [key]);

  useLayoutEffect(() => {
    if (state.kind === "loading") return;
    if (target.current !== null) scrollTo(0, target.current);
    target.current = null;
  }, [state]);

  function save() {
    const onItsWay = target.current !== null;
    if (state.kind === "found" && !onItsWay) {
      saveInHistory({ y: scrollY, count: state.photos.length });
    }
  }

  useEffect(() => {
    let timer: number;
    const saveSoon = () => {
      clearTimeout(timer);
      timer = setTimeout(save, PAUSE_MS);
    };
    saveSoon();
    addEventListener("scroll", saveSoon, { passive: true });
    return () => {
      clearTimeout(timer);
      removeEventListener("scroll", saveSoon);
    };
  }, [key, state]);

  return save;
}
