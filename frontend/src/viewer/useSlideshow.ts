import { useEffect, useRef, useState } from "preact/hooks";

const SHOWN_MS = 5000; // WCAG: what moves longer than that can be stopped, as this can

/** Goes on to the next photo by itself, once the one before was seen; null: there is none yet. */
export function useSlideshow(
  next: (() => void) | null,
  isLast: boolean,
): [boolean, (isPlaying: boolean) => void] {
  const [isPlaying, setPlaying] = useState(false);
  const goOn = useRef(next);
  goOn.current = next;
  const canGoOn = next !== null;

  useEffect(() => {
    if (!isPlaying || !canGoOn) return;
    const timer = setTimeout(() => goOn.current?.(), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [isPlaying, canGoOn]);

  useEffect(() => {
    if (isLast) setPlaying(false);
  }, [isLast]);

  return [isPlaying, setPlaying];
}
