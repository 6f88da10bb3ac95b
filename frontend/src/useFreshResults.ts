import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { UrlState } from "./urlState";
import type { SearchState } from "./useSearch";

const NEAR_TOP = 120; // px; whoever is no further down is not reading on
const SETTLE_MS = 1000; // new photos come in bursts

/**
 * Bring in what a new `version` of the index holds: quietly for a visitor who has only just
 * arrived, on demand for one who would lose their place. Returns whether there is something to
 * offer, and the function that shows it.
 */
export function useFreshResults(
  version: string | null,
  { key, open }: UrlState,
  state: SearchState,
  searchAgain: () => void,
) {
  const [hasNews, setHasNews] = useState(false);
  const shown = useRef<string | null>(null); // the version that the photos on the page are of

  function reset() {
    shown.current = null;
    setHasNews(false);
  }

  function refresh() {
    reset();
    searchAgain();
  }

  useLayoutEffect(reset, [key]);

  shown.current ??= version;
  const isFound = state.kind === "found";
  const isStale = isFound && version !== null && version !== shown.current;
  const isEmpty = isFound && state.photos.length === 0;
  useEffect(() => {
    if (!isStale) return;
    const timer = setTimeout(
      () => {
        const reads = scrollY > NEAR_TOP || open || document.activeElement?.closest(".photos");
        if (reads) setHasNews(true);
        else refresh();
      },
      isEmpty ? 0 : SETTLE_MS,
    );
    return () => clearTimeout(timer);
  }, [isStale, open, key]);

  return { hasNews, refresh };
}
