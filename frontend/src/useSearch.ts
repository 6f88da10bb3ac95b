import { useLayoutEffect, useState } from "preact/hooks";
import { searchPhotos, type Answer } from "./api";

export type SearchState =
  | { kind: "idle" }
  | { kind: "loading"; query: string; previous: Answer | null }
  | Answer;

const RETRY_MS = 2000;

function loading(query: string, last: SearchState): SearchState {
  if (last.kind === "idle") return { kind: "loading", query, previous: null };
  return { kind: "loading", query, previous: last.kind === "loading" ? last.previous : last };
}

// The server is up and will have more to say soon, without anybody doing anything on this page.
function isPending(answer: Answer): boolean {
  return answer.kind === "done" ? answer.photos.length === 0 : answer.reason === "not ready";
}

export function useSearch(query: string) {
  const [state, setState] = useState<SearchState>({ kind: "idle" });
  const [attempt, setAttempt] = useState(0);

  // A layout effect, so that the page is never painted with a new query and the old state.
  useLayoutEffect(() => {
    if (!query) return setState({ kind: "idle" });
    const controller = new AbortController();
    let timer: number;
    async function ask() {
      const answer = await searchPhotos(query, controller.signal);
      if (controller.signal.aborted) return;
      setState(answer);
      if (isPending(answer)) timer = setTimeout(ask, RETRY_MS);
    }
    setState((last) => loading(query, last));
    ask();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [query, attempt]);

  return { state, searchAgain: () => setAttempt((count) => count + 1) };
}
