/** What the keys do in the grid, beside opening the photo, which its link does. */

import type { Photo } from "../api";
import { neighbour } from "./arrowKeys";
import type { Selection } from "./useSelection";

type Actions = {
  photos: Photo[];
  selection: Selection;
  changeDensity: (by: number) => void;
};

const isInSight = (tile: Element) => {
  const { top, bottom } = tile.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
};

export function pressKey(event: KeyboardEvent, grid: HTMLElement, actions: Actions) {
  const { photos, selection, changeDensity } = actions;
  const { key, shiftKey, target } = event;
  if (event.altKey) return;
  const tiles = [...grid.querySelectorAll<HTMLElement>("[data-photo]")];
  const from = tiles.findIndex((tile) => tile.contains(target as Node));
  const current = tiles[from]?.dataset.photo;

  if (event.ctrlKey || event.metaKey) {
    if (key.toLowerCase() !== "a") return;
    event.preventDefault();
    const names = new Set(tiles.filter(isInSight).map(({ dataset }) => dataset.photo));
    return selection.add(photos.filter(({ filename }) => names.has(filename)));
  }
  if (key === "Escape") {
    if (selection.isActive) return selection.clear();
    return document.getElementById("q")?.focus();
  }
  if (key === "+" || key === "=") return changeDensity(1);
  if (key === "-") return changeDensity(-1);
  if (key.toLowerCase() === "x" && current) return selection.toggle(current, shiftKey);

  const next = neighbour(tiles, from, key);
  if (!next) return;
  event.preventDefault();
  next.querySelector("a")!.focus();
  if (!shiftKey || !current) return;
  // The first press selects where it begins, too.
  const names = selection.isActive ? [] : [current];
  const wanted = new Set([...names, next.dataset.photo]);
  selection.add(photos.filter(({ filename }) => wanted.has(filename)));
}
