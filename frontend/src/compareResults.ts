import type { Found, Photo } from "./api";

/** How photos that were just asked for differ from those that are shown. */
export type Difference = {
  /** Photos that are not shown yet, among or before those that are. */
  added: number;
  /** Photos that are shown, and are not there any more. */
  removed: number;
  /** Photos that have become others. */
  changed: number;
  /** Whether more photos follow those that are shown. */
  longer: boolean;
};

/** Those that are folded under another too. */
const unfold = (photos: Photo[]) => photos.flatMap((one) => [one, ...(one.similar ?? [])]);

/** `fresh` is the first page; of what is shown there may be more than that. */
export function compareResults(shown: Photo[], fresh: Found): Difference {
  const isWholePage = fresh.more && !fresh.truncated;
  const compared = unfold(isWholePage ? shown.slice(0, fresh.photos.length) : shown);
  const found = unfold(fresh.photos);
  const before = new Map(unfold(shown).map(({ filename, version }) => [filename, version]));
  const now = new Set(found.map(({ filename }) => filename));

  const isNew = found.map(({ filename }) => !before.has(filename));
  const end = isNew.lastIndexOf(false) + 1 || isNew.length; // what comes below only follows
  const added = isNew.slice(0, end).filter(Boolean).length;

  const isGone = compared.map(({ filename }) => !now.has(filename));
  const pushed = isGone.slice(isGone.lastIndexOf(false) + 1).length; // to the next page, perhaps
  const gone = isGone.filter(Boolean).length;
  return {
    added,
    removed: gone - (isWholePage ? Math.min(pushed, added) : 0),
    changed: found.filter(
      ({ filename, version }) => before.has(filename) && before.get(filename) !== version,
    ).length,
    longer: fresh.photos.length > shown.length || fresh.more,
  };
}
