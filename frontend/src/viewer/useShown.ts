import { useMemo, useRef } from "preact/hooks";
import type { Photo } from "../api";
import type { SearchState } from "../useSearch";

const NONE: Photo[] = [];

export const placeIn = (photos: Photo[], filename: string) =>
  photos.findIndex((photo) => photo.filename === filename);

/**
 * The photos of the page in a row. The row of those that are called what was typed comes first for
 * who began there, and a pile of photos that are nearly the same is spread out once one of them is
 * open.
 */
export function useShown(open: string, key: string, state: SearchState): Photo[] {
  const best = state.kind === "found" ? state.photos : NONE;
  const named = state.kind === "found" ? state.overview.named : NONE;
  const start = { key, isByName: false, piles: new Set<string>() };
  const seen = useRef(start);
  if (seen.current.key !== key) seen.current = start;

  const pile = best.find(({ similar = NONE }) => placeIn(similar, open) >= 0);
  if (pile) seen.current.piles.add(pile.filename);
  else if (placeIn(best, open) < 0 && placeIn(named, open) >= 0) seen.current.isByName = true;
  const { isByName, piles } = seen.current;

  return useMemo(() => {
    const spread = best.flatMap((photo) =>
      piles.has(photo.filename) ? [photo, ...(photo.similar ?? NONE)] : [photo],
    );
    if (!isByName) return spread;
    return [...named, ...spread.filter(({ filename }) => placeIn(named, filename) < 0)];
  }, [best, named, isByName, piles, piles.size]);
}
