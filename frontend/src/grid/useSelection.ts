import type { RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Photo } from "../api";

export type Selection = {
  photos: Photo[];
  isActive: boolean;
  /** Select a photo, or no longer; with `range` all between it and the last one that was. */
  toggle: (filename: string, range?: boolean) => void;
  add: (photos: Photo[]) => void;
  /** Select these, and no others. */
  replace: (filenames: Iterable<string>) => void;
  clear: () => void;
};

/** Which photos are selected, in the order of the grid. What is gone is selected no more. */
export function useSelection(grid: RefObject<HTMLElement | null>, photos: Photo[]): Selection {
  const [names, setNames] = useState<ReadonlySet<string>>(new Set());
  const marked = useRef<ReadonlySet<string>>(new Set());
  const last = useRef("");
  const selected = names.size ? photos.filter(({ filename }) => names.has(filename)) : [];

  // On the elements themselves: thousands of others need not be made anew for one. After whatever
  // happened, as a photo that comes into another row has another element.
  useLayoutEffect(() => {
    if (!names.size && !marked.current.size) return;
    for (const tile of grid.current!.querySelectorAll<HTMLElement>("[data-photo]")) {
      const isSelected = names.has(tile.dataset.photo!);
      if (isSelected === tile.classList.contains("selected")) continue;
      tile.classList.toggle("selected", isSelected);
      tile.querySelector(".select")!.setAttribute("aria-checked", String(isSelected));
    }
    marked.current = names;
  });

  function toggle(filename: string, range = false) {
    const next = new Set(names);
    const places = [last.current, filename].map((name) =>
      photos.findIndex((photo) => photo.filename === name),
    );
    if (range && names.size && !places.includes(-1)) {
      const [from, to] = places.sort((a, b) => a - b) as [number, number];
      for (const photo of photos.slice(from, to + 1)) next.add(photo.filename);
    } else if (!next.delete(filename)) {
      next.add(filename);
    }
    last.current = filename;
    setNames(next);
  }

  return {
    photos: selected,
    isActive: selected.length > 0,
    toggle,
    add: (more) => setNames(new Set([...names, ...more.map(({ filename }) => filename)])),
    replace: (filenames) => setNames(new Set(filenames)),
    clear: () => setNames(new Set()),
  };
}
