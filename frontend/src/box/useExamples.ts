import { useEffect, useState } from "preact/hooks";
import { fetchExamples } from "../api";
import { photoCount } from "../format";
import type { Status } from "../status/serverStatus";
import { texts } from "../texts";

const LATER_MS = 5000;

/** Searches to begin with, and what the empty box says. */
export function useExamples(status: Status | null) {
  const [examples, setExamples] = useState<string[]>([]);
  const isReady = status?.state === "ready";

  useEffect(() => {
    let timer: number;
    async function look(again: boolean) {
      const found = await fetchExamples();
      setExamples(found);
      // They are chosen after the photos have come.
      if (again && found.length === 0) timer = setTimeout(look, LATER_MS, false);
    }
    if (status) look(true);
    return () => clearTimeout(timer);
  }, [status === null, isReady]);

  const placeholder = status?.indexed
    ? texts.searchPhotos(photoCount(status.indexed), examples[0] ?? "")
    : texts.describeAPhoto;
  return { examples, placeholder };
}
