/** How photos are laid out: months, and rows that are all about as high, without cropping. */

import type { Photo } from "../api";

/** In px; `isFull`: no photo that comes later can change it. */
export type Row = { photos: Photo[]; height: number; width: number; isFull: boolean };

/** A stretch of photos, with its month, such as 2024-05, or its group, or nothing. */
export type Section = { key: string; photos: Photo[] };

export const GAP = 4; // px

// Extreme shapes alone are cropped, to these.
const LEAST_RATIO = 0.5;
const MOST_RATIO = 3;
const UNKNOWN_RATIO = 1.5;
// A last row that is nearly as wide as the others is as wide.
const NEARLY_FULL = 0.9;

export const ratioOf = ({ width, height }: Photo) =>
  Math.min(MOST_RATIO, Math.max(LEAST_RATIO, width / height || UNKNOWN_RATIO));

export const monthOf = ({ taken }: Photo) => taken?.slice(0, 7) ?? "";

export const groupOf = ({ group }: Photo) => group?.name ?? "";

export function splitBy(keyOf: (photo: Photo) => string, photos: Photo[]): Section[] {
  const sections: Section[] = [];
  for (const photo of photos) {
    const key = keyOf(photo);
    const last = sections.at(-1);
    if (last?.key === key) last.photos.push(photo);
    else sections.push({ key, photos: [photo] });
  }
  return sections;
}

/**
 * Rows of photos as wide as the grid, each about `target` px high. A full row depends on what
 * comes before it alone, so that more photos never move those that are there. The last one is as
 * high as the target, and not as wide as the others, unless it nearly is.
 */
export function layOut(photos: Photo[], width: number, target: number): Row[] {
  const rows: Row[] = [];
  let row: Photo[] = [];
  let ratios = 0;
  const heightOf = (count: number, sum: number) => (width - (count - 1) * GAP) / sum;
  const close = (height: number, rowWidth = width, isFull = true) => {
    rows.push({ photos: row, height: Math.round(height), width: rowWidth, isFull });
    row = [];
    ratios = 0;
  };
  for (const photo of photos) {
    const ratio = ratioOf(photo);
    const before = row.length ? heightOf(row.length, ratios) : Infinity;
    const after = heightOf(row.length + 1, ratios + ratio);
    // Which is nearer to the target: the row without this photo, or with it?
    if (row.length && after < target && before / target < target / after) close(before);
    row.push(photo);
    ratios += ratio;
    const height = heightOf(row.length, ratios);
    if (height <= target) close(height);
  }
  if (row.length) {
    const height = heightOf(row.length, ratios);
    const natural = Math.round(ratios * target) + (row.length - 1) * GAP;
    if (target >= NEARLY_FULL * height) close(height, width, false);
    else close(target, natural, false);
  }
  return rows;
}
