import { thumbHashToDataURL } from "thumbhash";

/** A blurred picture of a photo, from the 25 bytes that came with the answer. */
export function placeholderOf(thumbhash: string): string {
  try {
    return thumbHashToDataURL(Uint8Array.from(atob(thumbhash), (byte) => byte.charCodeAt(0)));
  } catch {
    return ""; // no ThumbHash: a tile's own colour will do
  }
}

/** Show the placeholder behind an image until it is there. */
export function holdPlace(image: HTMLImageElement | null, thumbhash: string | null | undefined) {
  if (!image || !thumbhash || image.complete || image.dataset.held) return;
  image.dataset.held = "";
  image.parentElement!.style.backgroundImage = `url(${placeholderOf(thumbhash)})`;
}

export function showImage({ currentTarget: image }: { currentTarget: HTMLImageElement }) {
  image.parentElement!.style.backgroundImage = "";
  delete image.dataset.failed;
}

/** One that did not come is not shown as broken: its place is held until the server is back. */
export function noteFailure({ currentTarget: image }: { currentTarget: HTMLImageElement }) {
  image.dataset.failed = "";
}

/** Ask once more for all the images that did not come. */
export function retryFailed(within: Element) {
  for (const image of within.querySelectorAll<HTMLImageElement>("img[data-failed]")) {
    const { src, srcset } = image;
    image.srcset = "";
    image.srcset = srcset;
    image.src = src;
  }
}
