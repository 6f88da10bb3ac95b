import type PhotoSwipe from "photoswipe";

const KEPT = 10; // slides on each side that may still be in memory

/**
 * Photos came before those that are known: give all of them their new numbers. PhotoSwipe has no
 * way to say so; this is where its version 5.4 keeps them.
 */
export function reindex(pswp: PhotoSwipe, shift: number): void {
  const loader = pswp.contentLoader;
  const around = Array.from({ length: 2 * KEPT + 1 }, (_, index) => pswp.currIndex - KEPT + index);
  const contents = around.map((index) => loader.getContentByIndex(index));
  for (const index of around) loader.removeByIndex(index);
  for (const content of contents) {
    if (!content) continue;
    content.index += shift;
    loader.addToCache(content);
  }
  pswp.currIndex += shift;
  pswp.potentialIndex += shift;
  for (const { slide } of pswp.mainScroll.itemHolders) if (slide) slide.index += shift;
}
