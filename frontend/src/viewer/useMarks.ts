import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";
import type { Line, Photo } from "../api";
import type { Stage } from "./stage";

const NONE: Line[] = [];

/** The lines on a photo that have words which were searched for. */
export function foundLines({ text, matches }: Photo): Line[] {
  const words = matches?.text ?? [];
  return (text ?? NONE).filter((line) =>
    words.some((word) => line.text.toLowerCase().includes(word.toLowerCase())),
  );
}

/** What only a search says of a photo. */
export const whyOf = (found: Photo | undefined) => ({
  score: found?.score ?? null,
  why: found?.why,
  matches: found?.matches,
});

/** Frames those lines, on the photo that is shown; `isLoaded`: its name, once it is. */
export function useMarks(
  stage: RefObject<Stage | null>,
  photo: Photo | undefined,
  isLoaded: string,
): void {
  useEffect(() => {
    if (photo) stage.current?.mark(photo.filename, foundLines(photo).map(({ box }) => box));
  }, [photo, isLoaded]);
}
