import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Photo } from "../api";
import { Stage, type StageEvents } from "./stage";

const RETRY_MS = 2000;

/** The library; where it can't be loaded, as from a server that is away, it is tried again. */
async function loadLibrary() {
  for (;;) {
    const library = await import("photoswipe").catch(() => null);
    if (library) return library.default;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Have the library at hand when the first photo is opened, but not before the thumbnails. */
export function usePreload(): void {
  useEffect(() => {
    const timer = setTimeout(loadLibrary, 5000);
    return () => clearTimeout(timer);
  }, []);
}

/**
 * A stage in an element that shows the photo at a place of a list, as soon as there is one;
 * `attempt` counts up when it is worth trying once more to load what failed.
 */
export function useStage(
  element: RefObject<HTMLDivElement | null>,
  photos: Photo[],
  at: number,
  attempt: number,
  events: StageEvents,
): RefObject<Stage | null> {
  const stage = useRef<Stage | null>(null);
  const wanted = useRef({ photos, at });
  const latest = useRef(events);
  const hasPhoto = at >= 0;
  if (hasPhoto) wanted.current = { photos, at };
  latest.current = events;

  useLayoutEffect(() => {
    if (!hasPhoto) return;
    let isOver = false;
    const watcher = new ResizeObserver(() => stage.current?.resize());
    loadLibrary().then((Library) => {
      if (isOver) return;
      const { photos, at } = wanted.current;
      stage.current = new Stage(Library, element.current!, photos, at, {
        onTurn: (filename) => latest.current.onTurn(filename),
        onClose: () => latest.current.onClose(),
        onGone: () => latest.current.onGone(),
        onTap: () => latest.current.onTap(),
        onZoom: (isZoomed) => latest.current.onZoom(isZoomed),
        onShown: (filename) => latest.current.onShown(filename),
        onFail: (filename) => latest.current.onFail(filename),
      });
      watcher.observe(element.current!);
    });
    return () => {
      isOver = true;
      watcher.disconnect();
      stage.current?.destroy();
      stage.current = null;
    };
  }, [hasPhoto]);

  useLayoutEffect(() => {
    if (hasPhoto) stage.current?.show(photos, at);
  }, [photos, at]);

  useEffect(() => {
    if (attempt) stage.current?.reload();
  }, [attempt]);

  return stage;
}
