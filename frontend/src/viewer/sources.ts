/** Which files there are of a photo, and which of them is sharp at a size. */

import { originalUrl, thumbUrl, type Photo } from "../api";

/** `side`: pixels on the longer side. */
export type Source = { url: string; side: number };

const SIDES = [1024, 2048] as const;

/** All pixels of a photo: its own file, or a copy where browsers don't show that. */
export const wholeUrl = (photo: Photo): string =>
  photo.in_browsers === false ? thumbUrl(photo, "full") : originalUrl(photo);

/** From a small file to the one with all pixels; of a small photo it is the only one. */
export function sourcesOf(photo: Photo): Source[] {
  const whole = Math.max(photo.width, photo.height);
  const copies = SIDES.filter((side) => side < whole);
  return [
    ...copies.map((side) => ({ side, url: thumbUrl(photo, side) })),
    { side: whole, url: wholeUrl(photo) },
  ];
}

/** The smallest that has so many pixels on its longer side, or else the largest. */
export function sharpAt(sources: Source[], pixels: number): Source {
  return sources.find(({ side }) => side >= pixels) ?? sources.at(-1)!;
}
