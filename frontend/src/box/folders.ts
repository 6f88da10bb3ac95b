/** Which folders the form shows, of all that the server has. */

import type { Folder } from "../api";

export type Row = Folder & { level: number; name: string; isOpen: boolean | null };

export const MOST_ROWS = 200;

/** Without case and accents, as folders are looked for. */
export const fold = (text: string) =>
  text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();

const trimSlashes = (text: string) => text.trim().replace(/^\/+|\/+$/g, "");

/** The folder that a text names, by its own case or, failing that, by any. */
export function folderNamed(folders: Folder[], text: string): string | null {
  const wanted = trimSlashes(text);
  const same = folders.filter(({ folder }) => fold(folder) === fold(wanted));
  const exact = same.find(({ folder }) => folder === wanted);
  return (exact ?? same[0])?.folder ?? null;
}

/** Folders whose path has all these words, each with its whole path. */
function matching(folders: Folder[], text: string): Row[] {
  const words = fold(text).split(/[\s/]+/).filter(Boolean);
  return folders
    .filter(({ folder }) => words.every((word) => fold(folder).includes(word)))
    .map((one) => ({ ...one, level: 1, name: one.folder, isOpen: null }));
}

/** The tree as far as it is unfolded. The server has each folder above those that lie in it. */
function unfolded(folders: Folder[], open: Set<string>): Row[] {
  const rows: Row[] = [];
  let closed = "/"; // what lies below it is not shown
  folders.forEach((one, index) => {
    const { folder } = one;
    if (folder.startsWith(closed)) return;
    const hasMore = folders[index + 1]?.folder.startsWith(`${folder}/`) ?? false;
    const isOpen = hasMore ? open.has(folder) : null;
    closed = isOpen === false ? `${folder}/` : "/";
    const level = folder.split("/").length;
    rows.push({ ...one, level, name: folder.split("/").pop()!, isOpen });
  });
  return rows;
}

export const rowsOf = (folders: Folder[], open: Set<string>, text: string): Row[] =>
  text.trim() ? matching(folders, text) : unfolded(folders, open);

/** All folders above one, so that it is seen. */
export function above(folder: string): string[] {
  const parts = folder.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}
