import type { ComponentChildren, VNode } from "preact";
import { useMemo, useRef } from "preact/hooks";
import type { Photo } from "../api";
import type { Row } from "./layout";

type Kept = { row: Row; folds: string; element: VNode };

const isSame = (one: Row, other: Row) =>
  one.height === other.height &&
  one.width === other.width &&
  one.photos.length === other.photos.length &&
  one.photos.every((photo, place) => photo === other.photos[place]);

/**
 * Makes the element of a row. One that has not changed stays the same element, and so is left
 * alone with all its photos, of which there may be thousands at each step.
 */
export function useRows(
  tilesOf: (row: Row, similar: ReadonlySet<string>) => ComponentChildren,
  shown: Photo[],
  unfolded: ReadonlySet<string>,
  look: string,
  query: unknown,
): (row: Row) => VNode {
  const kept = useRef(new Map<string, Kept>());
  const seen = useRef({ look, query });
  if (seen.current.look !== look || seen.current.query !== query) kept.current.clear();
  seen.current = { look, query };

  const similar = useMemo(() => {
    const open = shown.filter(({ filename }) => unfolded.has(filename));
    return new Set(open.flatMap(({ similar = [] }) => similar.map(({ filename }) => filename)));
  }, [shown, unfolded]);

  return (row) => {
    const key = row.photos[0]!.filename;
    const folds = row.photos
      .filter(({ filename }) => similar.has(filename) || unfolded.has(filename))
      .map(({ filename }) => filename)
      .join("\n");
    const known = kept.current.get(key);
    if (known && known.folds === folds && isSame(known.row, row)) return known.element;
    const element = (
      <div key={key} class="row" style={{ height: `${row.height}px`, width: `${row.width}px` }}>
        {tilesOf(row, similar)}
      </div>
    );
    kept.current.set(key, { row, folds, element });
    return element;
  };
}
