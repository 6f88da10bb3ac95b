/** What a slide shows: the tile's picture at once, and then a file that is sharp. */

import type PhotoSwipe from "photoswipe";
import type { SlideData } from "photoswipe";
import { thumbUrl, type Photo } from "../api";
import { nameOf } from "../format";
import { sharpAt, sourcesOf, type Source } from "./sources";

/** PhotoSwipe's, of one photo. */
export type Content = NonNullable<PhotoSwipe["currSlide"]>["content"];

type Data = SlideData & { photo: Photo; sources: Source[] };

const dataIn = (content: Content) => content.data as Data;

export const photoOf = (content: Content): Photo => dataIn(content).photo;

/** Tells what is in a photo's file from all else, and from what was in it. */
export const keyOf = (photo: Photo | undefined) => photo && `${photo.filename} ${photo.version}`;

export const tileOf = (filename: string) =>
  document.querySelector<HTMLElement>(`[data-photo="${CSS.escape(filename)}"]`);

/** The picture of the tile, which is there at once. */
export function previewOf(photo: Photo): string {
  const tile = tileOf(photo.filename)?.querySelector("img");
  return tile?.currentSrc || thumbUrl(photo, 512);
}

/** The file with as many pixels as the photo covers on the screen. */
function neededOf(content: Content): Source {
  const { displayedImageWidth: width, displayedImageHeight: height } = content;
  return sharpAt(dataIn(content).sources, Math.max(width, height) * devicePixelRatio);
}

export class Slides {
  /** What no browser shows, though its name promises it. */
  #misnamed = new Set<string | undefined>();

  dataOf(photo: Photo): Data {
    const isMisnamed = this.#misnamed.has(keyOf(photo));
    const sources = sourcesOf(isMisnamed ? { ...photo, in_browsers: false } : photo);
    const { width, height } = photo;
    return { photo, sources, width, height, alt: nameOf(photo.filename), type: "image" };
  }

  /** What is loaded first. */
  choose(content: Content): void {
    content.data.src = neededOf(content).url;
  }

  /** Load a file with more pixels once they can be seen; the one before stays meanwhile. */
  sharpen(content: Content): void {
    const image = content.element;
    if (!(image instanceof HTMLImageElement) || content.isLoading()) return;
    const data = dataIn(content);
    const before = data.src;
    const needed = neededOf(content);
    if (data.sources.indexOf(needed) <= data.sources.findIndex(({ url }) => url === before)) return;
    data.src = needed.url;
    const loading = new Image();
    loading.src = needed.url;
    loading.decode().then(
      () => {
        if (data.src === needed.url) image.src = needed.url;
      },
      () => {
        const isWorthAnother = this.fallBack(content);
        data.src = before;
        if (isWorthAnother) this.sharpen(content);
      },
    );
  }

  /** Whether a photo's own file failed for the first time: then a copy of it comes instead. */
  fallBack(content: Content): boolean {
    const data = dataIn(content);
    const key = keyOf(data.photo);
    const own = data.sources.at(-1)!.url;
    if (data.src !== own || this.#misnamed.has(key)) return false;
    this.#misnamed.add(key);
    data.sources = sourcesOf({ ...data.photo, in_browsers: false });
    return data.sources.at(-1)!.url !== own;
  }
}
