import { useState } from "preact/hooks";
import { texts } from "../texts";
import type { Query } from "../urlState";
import { fetchPicture, ownPhoto } from "./links";
import { saveUpload } from "./uploads";

/**
 * Searches by photos that were brought: files, or links. `said` is what there is to say of that,
 * and `dismiss` takes it away.
 */
export function usePhotos(askFor: (changed: Partial<Query>) => void) {
  const [said, say] = useState("");

  async function byFiles(files: File[]) {
    const [first] = files;
    say(files.length > 1 ? texts.firstOfFiles(first!.name, files.length) : "");
    askFor({ image: await saveUpload(first!) });
  }

  async function byLink(link: URL) {
    const own = ownPhoto(link);
    if (own) return askFor({ like: [own] });
    say(texts.fetchingPicture);
    try {
      const picture = await fetchPicture(link);
      say("");
      askFor({ image: await saveUpload(picture) });
    } catch (error) {
      say((error as Error).message);
    }
  }

  return { said, dismiss: () => say(""), byFiles, byLink };
}
