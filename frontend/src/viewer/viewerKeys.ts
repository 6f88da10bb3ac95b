/** What the keys do while a photo is open. */

export type Acts = {
  close: () => void;
  /** To the photo before or after, or to the first or last. */
  turn: (to: "previous" | "next" | "first" | "last") => void;
  zoom: () => void;
  zoomBy: (factor: number) => void;
  /** Move an enlarged photo, by steps to the right and down. */
  pan: (x: number, y: number) => void;
  panel: () => void;
  like: () => void;
  download: () => void;
  original: () => void;
  copyPath: () => void;
  copyImage: () => void;
  play: () => void;
  fullScreen: () => void;
};

const ZOOM_STEP = 1.5;

const PANS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
const TURNS: Record<string, "previous" | "next" | "first" | "last"> = {
  ArrowLeft: "previous",
  ArrowRight: "next",
  Home: "first",
  End: "last",
};
const SCROLLS = new Set(["ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown", " "]);

function actOf(key: string, acts: Acts, isZoomed: boolean): (() => void) | undefined {
  if (isZoomed && PANS[key]) return () => acts.pan(...PANS[key]!);
  if (TURNS[key]) return () => acts.turn(TURNS[key]!);
  const keys: Record<string, () => void> = {
    Escape: acts.close,
    z: acts.zoom,
    "+": () => acts.zoomBy(ZOOM_STEP),
    "=": () => acts.zoomBy(ZOOM_STEP), // the same key on many keyboards, without Shift
    "-": () => acts.zoomBy(1 / ZOOM_STEP),
    i: acts.panel,
    l: acts.like,
    d: acts.download,
    o: acts.original,
    c: acts.copyPath,
    C: acts.copyImage,
    " ": acts.play,
    f: acts.fullScreen,
  };
  return keys[key];
}

export function actOnKey(event: KeyboardEvent, acts: Acts, isZoomed: boolean): void {
  const { key, ctrlKey, metaKey, altKey } = event;
  if (ctrlKey || metaKey || altKey) return; // the browser's own
  const target = event.target as Element;
  if (key === " " && target.matches("button, a")) return; // which it presses
  if (SCROLLS.has(key) && target.closest(".panel")) return; // which it moves
  const act = actOf(key, acts, isZoomed);
  if (!act) return;
  event.preventDefault();
  act();
}
