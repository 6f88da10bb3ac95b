/** Frames around words on the open photo. They lie in what PhotoSwipe moves and scales. */

import { photoOf, type Content } from "./slides";

/** The four corners of each, x and y in turn, as shares of the photo's sides. */
export type Boxes = number[][];

const SVG = "http://www.w3.org/2000/svg";

/** Another element than HTML's, with attributes. */
function element(name: string, attributes: Record<string, string>): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export class Marks {
  // The panel has the words for those who don't see where they are.
  #picture = element("svg", {
    class: "marks",
    viewBox: "0 0 1 1",
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  #filename = "";

  /** Draw them on a photo, in the place of others. */
  set(filename: string, boxes: Boxes): void {
    this.#filename = filename;
    this.#picture.remove();
    const frames = boxes.map((box) => element("polygon", { points: box.join(" ") }));
    this.#picture.replaceChildren(...frames);
  }

  /** Lay them over the photo, if it is theirs, as large as that is. */
  fit(content: Content | undefined): void {
    if (!content?.slide || photoOf(content).filename !== this.#filename) return;
    const { displayedImageWidth: width, displayedImageHeight: height } = content;
    Object.assign(this.#picture.style, { width: `${width}px`, height: `${height}px` });
    if (this.#picture.hasChildNodes()) content.slide.container.append(this.#picture);
  }
}
