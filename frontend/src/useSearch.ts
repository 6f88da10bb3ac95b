import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { search, type Failure, type Found } from "./api";
import { findUpload } from "./box/uploads";
import { compareResults, type Difference } from "./compareResults";
import { texts } from "./texts";
import { urlOf, type Query, type UrlState } from "./urlState";

export type SearchState =
  | { kind: "loading"; previous: Settled | null }
  | ({ kind: "found"; nextPage: "idle" | "loading" | "failed" } & Found)
  | ({ kind: "failed" } & Failure);

type Settled = Exclude<SearchState, { kind: "loading" }>;

const RETRY_MS = 2000;
const MAX_ANSWERS = 12;

const NOT_HERE: Failure = {
  reason: "not here",
  message: texts.keptElsewhere,
};

/** Ask for the photos after `offset`. */
async function ask(query: Query, offset: number, signal: AbortSignal): Promise<Found | Failure> {
  const upload = query.image ? await findUpload(query.image) : null;
  if (query.image && !upload) return NOT_HERE;
  return search({ ...query, upload: upload?.bytes ?? null, offset }, signal);
}

const isFound = (answer: Found | Failure): answer is Found => "photos" in answer;

/** One list from two; a photo that moved down meanwhile, because others came, is not shown twice. */
function joinPages(shown: Found, next: Found): Found {
  const known = new Set(shown.photos.map(({ filename }) => filename));
  const added = next.photos.filter(({ filename }) => !known.has(filename));
  return {
    ...next,
    overview: shown.overview,
    more: next.more && (next.truncated || added.length > 0),
    photos: [...shown.photos, ...added],
  };
}

/**
 * The photos of a query, at once if it was asked before. `count` is how many were shown when the
 * visitor left, so that the page becomes as long as it was. What is known of another `version` of
 * the index is forgotten. `recovered`: how often the server came back.
 */
export function useSearch(
  { query, key, saved: { count = 0 } }: UrlState,
  version: string | null,
  recovered: number,
) {
  const [state, setState] = useState<SearchState>({ kind: "loading", previous: null });
  const [attempt, setAttempt] = useState(0);
  const answers = useRef(new Map<string, Found>());
  const running = useRef(new AbortController());
  const asked = useRef("");

  function show(found: Found) {
    answers.current.delete(key);
    answers.current.set(key, found);
    const [oldest] = answers.current.keys();
    if (answers.current.size > MAX_ANSWERS) answers.current.delete(oldest!);
    setState({ kind: "found", nextPage: "idle", ...found });
  }

  useLayoutEffect(() => answers.current.clear(), [version]);

  // A layout effect, so that the page is never painted with a new query and the old state.
  useLayoutEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    let timer: number;

    async function start(found: Found | null) {
      let answer = found ?? (await ask(query, 0, signal));
      const wanted = found ? found.photos.length + 1 : count;
      while (isFound(answer) && answer.more && !answer.truncated && answer.photos.length < wanted) {
        const next = await ask(query, answer.next, signal);
        answer = isFound(next) ? joinPages(answer, next) : next;
      }
      if (signal.aborted) return;
      if (isFound(answer)) return show(answer);
      // What is shown stays, though it can't be made fresh.
      if (!again) setState({ kind: "failed", ...answer });
      // These pass without anybody doing anything on this page.
      if (answer.reason === "not ready" || answer.reason === "unreachable") {
        timer = setTimeout(() => start(null), RETRY_MS);
      }
    }

    const known = answers.current.get(key);
    // What fits less well follows what is shown: nothing of that is asked for again. In the order
    // of time it does not follow, but lies in between.
    const follows = query.showAll && query.sort === "score";
    const best = follows && answers.current.get(urlOf({ ...query, showAll: false }));
    // Photos that are looked up once more stay as they are until the answer is here.
    const again = asked.current === key && state.kind === "found";
    running.current = controller;
    asked.current = key;
    if (known) {
      show(known);
    } else {
      if (!again)
        setState({ kind: "loading", previous: state.kind === "loading" ? state.previous : state });
      start(best ? { ...best, truncated: false } : null);
    }
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [key, attempt]);

  async function loadMore() {
    if (state.kind !== "found" || !state.more || state.truncated) return;
    if (state.nextPage === "loading") return;
    const { signal } = running.current;
    setState({ ...state, nextPage: "loading" });
    const next = await ask(query, state.next, signal);
    if (signal.aborted) return;
    if (isFound(next)) show(joinPages(state, next));
    else setState({ ...state, nextPage: "failed" });
  }

  // What could not be loaded comes by itself once the server is back.
  useEffect(() => {
    if (state.kind === "found" && state.nextPage === "failed") loadMore();
  }, [recovered]);

  function searchAgain() {
    answers.current.clear();
    setAttempt((number) => number + 1);
  }

  /** How the photos differ by now from those that are shown; null if that can't be told. */
  async function lookAgain(): Promise<Difference | null> {
    if (state.kind !== "found") return null;
    const { signal } = running.current;
    const fresh = await ask(query, 0, signal);
    if (signal.aborted || !isFound(fresh) || fresh.isPending) return null;
    return compareResults(state.photos, fresh);
  }

  /** What is shown goes on further than it did: it can be scrolled on. */
  function goOn() {
    setState((now) => (now.kind === "found" ? { ...now, more: true } : now));
  }

  return { state, loadMore, searchAgain, lookAgain, goOn };
}
