import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Difference } from "./compareResults";
import type { Status } from "./status/serverStatus";
import type { UrlState } from "./urlState";
import type { SearchState } from "./useSearch";

const NEAR_TOP = 120; // px; whoever is no further down is not reading on
const SETTLE_MS = 1000; // changes come in bursts
const PAUSE_MS = 15_000; // between two looks while many photos are being indexed
const MANY = 10;

/** What has changed behind the photos that are shown. */
export type News = { added: number };

type Search = {
  state: SearchState;
  searchAgain: () => void;
  lookAgain: () => Promise<Difference | null>;
  goOn: () => void;
};

/** Whether no photo that somebody looks at, or points at, would be moved. */
function isNobodyThere(open: string): boolean {
  const isPointedAt = matchMedia("(hover: hover)").matches && document.querySelector(".photos:hover");
  const hasFocus = document.activeElement?.closest(".photos");
  const isSelected = document.querySelector('.photos [aria-checked="true"]');
  return scrollY <= NEAR_TOP && !open && !isPointedAt && !hasFocus && !isSelected;
}

/**
 * Bring in what a new `version` of the index holds: quietly where nothing moves by it, and for a
 * visitor who has only just arrived; on demand for one who would lose their place. Returns what
 * there is to offer, and the function that shows it.
 */
export function useFreshResults(
  version: string | null,
  status: Status | null,
  recovered: number,
  { key, open }: UrlState,
  { state, searchAgain, lookAgain, goOn }: Search,
) {
  const [news, setNews] = useState<News | null>(null);
  const shown = useRef<string | null>(null); // the version that the photos on the page are of
  const looked = useRef(-PAUSE_MS); // when it was
  const [failures, setFailures] = useState(0);

  function refresh() {
    shown.current = null;
    setNews(null);
    searchAgain();
  }

  useLayoutEffect(() => {
    shown.current = null;
    setNews(null);
  }, [key]);

  const moment = version && `${version} ${recovered}`;
  shown.current ??= moment;
  const isFound = state.kind === "found";
  const isStale = isFound && moment !== null && moment !== shown.current;
  const isEmpty = isFound && state.photos.length === 0;
  const isBusy = (status?.waiting ?? 0) > MANY;

  async function look() {
    looked.current = performance.now();
    if (isEmpty) return refresh();
    const difference = await lookAgain();
    if (!difference) return setFailures((number) => number + 1); // which tries again
    const { added, removed, changed, longer } = difference;
    if (added + removed + changed === 0) {
      shown.current = moment;
      setNews(null);
      if (longer) goOn();
    } else if (isNobodyThere(open)) {
      refresh();
    } else {
      shown.current = moment;
      setNews({ added });
    }
  }

  useEffect(() => {
    if (!isStale) return;
    const rest = isBusy ? looked.current + PAUSE_MS - performance.now() : 0;
    const timer = setTimeout(look, isEmpty ? 0 : Math.max(SETTLE_MS, rest));
    return () => clearTimeout(timer);
  }, [isStale, isBusy, moment, failures, open, key]);

  return { news, refresh };
}
