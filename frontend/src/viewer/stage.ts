/** PhotoSwipe, and all that is known of it: zoom, pan, pinch, swipe, opening from the tile. */

import type PhotoSwipe from "photoswipe";
import type { Photo } from "../api";
import { Marks, type Boxes } from "./marks";
import { reindex } from "./reindex";
import { keyOf, photoOf, previewOf, Slides, tileOf, type Content } from "./slides";
import { enlarged, fitted, most } from "./zoomLevels";

export type StageEvents = {
  /** Turned to by a finger. */
  onTurn: (filename: string) => void;
  /** Closed by a finger, or by a click beside the photo: it flies back from now on. */
  onClose: () => void;
  /** It has flown back. */
  onGone: () => void;
  onTap: () => void;
  onZoom: (isZoomed: boolean) => void;
  onShown: (filename: string) => void;
  onFail: (filename: string) => void;
};

const STEP = 80; // CSS pixels that an arrow key moves an enlarged photo by
const NEAR = 3; // photos on each side that may have been loaded

export class Stage {
  #pswp: PhotoSwipe;
  #photos: Photo[];
  #shown: string;
  #events: StageEvents;
  #isZoomed = false;
  #isOver = false;
  #slides = new Slides();
  #marks = new Marks();
  /** What has to wait until the photo has grown out of its tile. */
  #waiting: (() => void)[] = [];

  constructor(
    Library: typeof PhotoSwipe,
    element: HTMLElement,
    photos: Photo[],
    at: number,
    events: StageEvents,
  ) {
    this.#photos = photos;
    this.#shown = photos[at]!.filename;
    this.#events = events;
    const none = { arrowPrev: false, arrowNext: false, close: false, zoom: false, counter: false };
    const pswp = new Library({
      ...none,
      appendToEl: element,
      index: at,
      loop: false,
      bgOpacity: 1,
      showAnimationDuration: 220,
      hideAnimationDuration: 200,
      wheelToZoom: true,
      escKey: false,
      arrowKeys: false,
      trapFocus: false,
      returnFocus: false,
      imageClickAction: "zoom",
      tapAction: () => events.onTap(),
      preload: [1, 2],
      errorMsg: "",
      initialZoomLevel: fitted,
      secondaryZoomLevel: enlarged,
      maxZoomLevel: most,
      getViewportSizeFn: () => ({ x: element.clientWidth, y: element.clientHeight }),
    });
    this.#pswp = pswp;
    pswp.addFilter("numItems", () => this.#photos.length);
    pswp.addFilter("itemData", (_, index) => this.#slides.dataOf(this.#photos[index]!));
    pswp.addFilter("placeholderSrc", (_, content) => previewOf(photoOf(content)));
    pswp.addFilter("thumbEl", (_, _data, index) => {
      const tile = tileOf(this.#photos[index]!.filename)?.querySelector("img");
      return tile ?? (null as never);
    });
    // Else a small photo that is enlarged could be moved about, and not be swiped.
    pswp.on("zoomLevelsUpdate", ({ zoomLevels: levels }) => (levels.fit = levels.initial));
    pswp.on("keydown", (event) => event.preventDefault());
    pswp.on("contentLoadImage", ({ content }) => this.#slides.choose(content));
    pswp.on("imageSizeChange", ({ content }) => {
      this.#slides.sharpen(content);
      this.#marks.fit(content);
    });
    pswp.on("loadComplete", ({ content, isError }) => {
      if (isError) return;
      if (content.slide?.isActive) events.onShown(photoOf(content).filename);
      this.#slides.sharpen(content);
    });
    pswp.on("loadError", ({ content }) => this.#fail(content));
    pswp.on("zoomPanUpdate", () => this.#tellZoom());
    pswp.on("change", () => this.#tellTurn());
    pswp.on("close", () => {
      if (!this.#isOver) events.onClose();
    });
    pswp.on("destroy", () => {
      if (!this.#isOver) events.onGone();
      this.#isOver = true;
    });
    pswp.init();
    pswp.on("openingAnimationEnd", () => this.#waiting.splice(0).forEach((act) => act()));
    pswp.element!.removeAttribute("role"); // it lies in a dialog, and is none
  }

  /** Show one of these photos; where it is the same as before it stays as it is. */
  show(photos: Photo[], at: number): void {
    this.#whenOpen(() => this.#show(photos, at));
  }

  #show(photos: Photo[], at: number): void {
    const pswp = this.#pswp;
    const before = this.#photos;
    const current = before[pswp.currIndex];
    const there = photos.findIndex(({ filename }) => filename === current?.filename);
    const shift = there < 0 ? 0 : there - pswp.currIndex;
    this.#photos = photos;
    this.#shown = photos[at]!.filename;
    if (shift) reindex(pswp, shift);
    for (let index = pswp.currIndex - NEAR; index <= pswp.currIndex + NEAR; index++) {
      const isNew = keyOf(photos[index]) !== keyOf(before[index - shift]);
      if (isNew && photos[index]) pswp.refreshSlideContent(index);
    }
    if (at !== pswp.currIndex) pswp.goTo(at);
  }

  /** Frame words on a photo, and no others. */
  mark(filename: string, boxes: Boxes): void {
    this.#marks.set(filename, boxes);
    this.#marks.fit(this.#pswp.currSlide?.content);
  }

  /** Try once more to load what is shown. */
  reload = () => this.#whenOpen(() => this.#pswp.refreshSlideContent(this.#pswp.currIndex));

  resize = () => this.#pswp.updateSize();

  toggleZoom(): void {
    const { currSlide: slide, viewportSize } = this.#pswp;
    // One begins to read a long page at its top.
    const isPage = slide !== undefined && slide.height > 2 * slide.width;
    slide?.toggleZoom({ x: viewportSize.x / 2, y: isPage ? 0 : viewportSize.y / 2 });
  }

  zoomBy(factor: number): void {
    const slide = this.#pswp.currSlide;
    slide?.zoomTo(slide.currZoomLevel * factor, undefined, this.#pswp.options.zoomAnimationDuration);
  }

  /** Move an enlarged photo, by steps to the right and down. */
  pan(x: number, y: number): void {
    const slide = this.#pswp.currSlide;
    slide?.panTo(slide.pan.x - x * STEP, slide.pan.y - y * STEP);
  }

  /** Have the photo fly back into its tile. */
  close(): void {
    if (this.#pswp.opener.isOpen) this.#pswp.close();
    else this.#events.onGone(); // it was still on its way
  }

  destroy(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting = [];
    this.#pswp.element?.remove();
    // While it opens, it can't be closed.
    if (this.#pswp.opener.isOpening) {
      this.#pswp.on("openingAnimationEnd", () => this.#pswp.destroy());
    } else this.#pswp.destroy();
  }

  #whenOpen(act: () => void): void {
    if (this.#pswp.opener.isOpen) act();
    else this.#waiting.push(act);
  }

  #fail(content: Content): void {
    const isWorthAnother = this.#slides.fallBack(content);
    if (isWorthAnother) this.#whenOpen(() => this.#pswp.refreshSlideContent(content.index));
    else if (content.slide?.isActive) this.#events.onFail(photoOf(content).filename);
  }

  #tellZoom(): void {
    const slide = this.#pswp.currSlide;
    const isZoomed = slide !== undefined && slide.currZoomLevel > 1.01 * slide.zoomLevels.initial;
    if (isZoomed !== this.#isZoomed) this.#events.onZoom(isZoomed);
    this.#isZoomed = isZoomed;
  }

  #tellTurn(): void {
    const name = this.#photos[this.#pswp.currIndex]?.filename;
    if (!name || name === this.#shown) return;
    this.#shown = name;
    this.#events.onTurn(name);
  }
}
