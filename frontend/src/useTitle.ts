import { useEffect } from "preact/hooks";
import { formatQuery, nameOf } from "./format";
import { texts } from "./texts";
import type { UrlState } from "./urlState";

/** Names the window by what is open in it, and asked for. */
export function useTitle({ query, key, open }: UrlState): void {
  useEffect(() => {
    const phrase = query.duplicates ? texts.duplicates : query.q || formatQuery(query);
    document.title = [open && nameOf(open), phrase, texts.name].filter(Boolean).join(" · ");
  }, [key, open]);
}
