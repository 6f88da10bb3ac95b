/** Photos that are there more than once, or nearly so, as the server groups them. */

import { request, type Failure, type Found, type Photo } from "./api";

const PAGE_SIZE = 30; // groups

type Groups = {
  groups: Photo[][];
  /** How many photos each has; of very many only the first are told. */
  sizes: number[];
  total: number;
  more: boolean;
  next_offset: number;
  is_current: boolean;
};

/** The groups after `offset` of them: their photos in a row, each with its group. */
export async function findDuplicates(
  offset: number,
  signal: AbortSignal,
): Promise<Found | Failure> {
  const path = `duplicates?limit=${PAGE_SIZE}&offset=${offset}`;
  const body = await request<Groups>(path, { signal });
  if ("reason" in body) return body;
  const { groups, sizes, total, more, next_offset: next } = body;
  const photos = groups.flatMap((group, place) => {
    const its = { name: group[0]!.filename, size: sizes[place] ?? group.length };
    return group.map((photo) => ({ ...photo, group: its }));
  });
  const overview = {
    total,
    searched: null,
    fits: null,
    named: [],
    namedFolders: [],
    similarFolders: null,
    unread: "",
  };
  const isPending = !body.is_current;
  return { photos, more, truncated: false, offset, next, overview, isPending };
}
