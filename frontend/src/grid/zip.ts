/** Several photos as one file. */

import { downloadZip } from "client-zip";
import { originalUrl, type Photo } from "../api";

/** A file as it is, with its folders in the archive: so no two have one name. */
async function fetchFile(photo: Photo) {
  const response = await fetch(originalUrl(photo));
  if (!response.ok) throw new Error(response.statusText);
  const changed = response.headers.get("Last-Modified");
  const lastModified = changed ? new Date(changed) : undefined;
  // As a whole: a file that breaks off halfway would break the archive.
  return { name: photo.filename, lastModified, input: await response.blob() };
}

/**
 * Fetch photos one after the other into an archive, and save it; `tell` says how many are done.
 * Returns the names of those that could not be had.
 */
export async function saveAsZip(
  photos: Photo[],
  name: string,
  tell: (done: number) => void,
): Promise<string[]> {
  const failed: string[] = [];
  async function* files() {
    for (const [place, photo] of photos.entries()) {
      try {
        yield await fetchFile(photo);
      } catch {
        failed.push(photo.filename);
      }
      tell(place + 1);
    }
  }
  const archive = await downloadZip(files()).blob();
  if (failed.length < photos.length) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(archive);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
  return failed;
}
