/** How large a photo is shown, in CSS pixels for one of its own. */

import type PhotoSwipe from "photoswipe";

type ZoomLevels = NonNullable<PhotoSwipe["currSlide"]>["zoomLevels"];

const LARGEST = 2; // of a small photo, before anybody zooms

/** As large as fits; a small photo twice as large as it is, not more. */
export function fitted({ elementSize, panAreaSize }: ZoomLevels): number {
  const { x, y } = panAreaSize!;
  return Math.min(x / elementSize!.x, y / elementSize!.y, LARGEST);
}

// A pixel of the photo for one of the screen, so that strips and pages can be read.
export const enlarged = (levels: ZoomLevels) => Math.max(1 / devicePixelRatio, 2 * fitted(levels));

/** As far as one can zoom. */
export const most = (levels: ZoomLevels) => Math.max(4 / devicePixelRatio, 4 * fitted(levels));
