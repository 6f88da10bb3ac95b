import { useEffect, useRef, useState } from "preact/hooks";
import { search, type Found, type Photo } from "../api";
import { findUpload } from "../box/uploads";
import type { Query } from "../urlState";
import type { SearchState } from "../useSearch";
import { placeIn, useShown } from "./useShown";

/** Photos one after the other, and which of them is open; -1 if its neighbours are not known. */
export type Sequence = { photos: Photo[]; at: number };

/** `asked`: the query that they answer, of which `key` is the one in the address. */
type Around = Found & { key: string; asked: Query };

const NEAR_END = 5; // photos before the end more are asked for

async function ask(
  query: Query,
  place: { offset: number } | { around: string },
  signal: AbortSignal,
): Promise<Found | null> {
  const upload = query.image ? ((await findUpload(query.image))?.bytes ?? null) : null;
  if (query.image && !upload) return null;
  const answer = await search({ offset: 0, ...query, ...place, isFlat: true, upload }, signal);
  return "photos" in answer ? answer : null;
}

/** One list of two that follow each other, each photo once. */
function join(first: Found, next: Found): Found {
  const known = new Set(first.photos.map(({ filename }) => filename));
  const added = next.photos.filter(({ filename }) => !known.has(filename));
  return { ...next, offset: first.offset, photos: [...first.photos, ...added] };
}

/**
 * The photos that one turns to from the open one: those of the page, or if it is not among them,
 * as a shared link may lead anywhere, those around it in the answer to the same query.
 */
export function useSequence(
  open: string,
  query: Query,
  key: string,
  state: SearchState,
  onMore: () => void,
): Sequence {
  const [around, setAround] = useState<Around | null>(null);
  const last = useRef<Sequence>({ photos: [], at: -1 });
  const running = useRef(false);
  const shown = useShown(open, key, state);
  const onPage = placeIn(shown, open);
  const theirs = around?.key === key ? around : null;
  const beside = theirs ? placeIn(theirs.photos, open) : -1;
  const isElsewhere = state.kind === "found" && onPage < 0 && beside < 0 && open !== "";

  useEffect(() => {
    if (!isElsewhere) return;
    const controller = new AbortController();
    const { signal } = controller;
    async function find() {
      // It may fit less well than what the page shows.
      for (const asked of [query, { ...query, showAll: true }]) {
        const found = await ask(asked, { around: open }, signal);
        if (signal.aborted) return;
        if (found) return setAround({ ...found, key, asked });
      }
    }
    find();
    return () => controller.abort();
  }, [isElsewhere, open, key]);

  // More of them, before one comes to an end.
  useEffect(() => {
    if (onPage >= 0 && onPage >= shown.length - NEAR_END) onMore();
    if (onPage >= 0 || !theirs || beside < 0 || running.current) return;
    const end = theirs.offset + theirs.photos.length;
    const isLast = beside >= theirs.photos.length - NEAR_END;
    const isFirst = beside < NEAR_END && theirs.offset > 0;
    const offset = isFirst ? Math.max(0, theirs.offset - 100) : end;
    if (!isFirst && !(isLast && theirs.more && !theirs.truncated)) return;
    running.current = true;
    ask(theirs.asked, { offset }, new AbortController().signal).then((found) => {
      running.current = false;
      if (!found) return;
      const { more, truncated } = isFirst ? theirs : found;
      const joined = isFirst ? join(found, theirs) : join(theirs, found);
      setAround({ ...theirs, ...joined, more, truncated });
    });
  }, [onPage, shown, beside, theirs]);

  if (onPage >= 0) last.current = { photos: shown, at: onPage };
  else if (beside >= 0) last.current = { photos: theirs!.photos, at: beside };
  // One that was deleted keeps the neighbours it had.
  else last.current = { ...last.current, at: placeIn(last.current.photos, open) };
  return last.current;
}
