import { useEffect, useRef } from "preact/hooks";
import type { SearchState } from "../useSearch";

const tiles = () => [...document.querySelectorAll<HTMLElement>("[data-photo]")];

/**
 * Where the focus goes once what was asked for is there, as its button goes then: to the `first`
 * photo, or to the first that is `new`, so that the Tab key skips none.
 */
export function useFocusAfter(state: SearchState): (where: "first" | "new") => void {
  const known = useRef<Set<string | undefined> | null>(null);
  const asked = useRef(state);

  useEffect(() => {
    if (!known.current || state === asked.current || state.kind === "loading") return;
    if (state.kind === "found" && state.nextPage === "loading") return;
    const target = tiles().find(({ dataset }) => !known.current!.has(dataset.photo));
    known.current = null;
    const isElsewhere = document.activeElement && document.activeElement !== document.body;
    if (!isElsewhere) target?.querySelector("a")?.focus();
  }, [state]);

  return (where) => {
    known.current = new Set(where === "new" ? tiles().map(({ dataset }) => dataset.photo) : []);
    asked.current = state;
  };
}
