/** What the server tells of itself, and what it left out. */

import { reasonOf } from "../api";
import { texts } from "../texts";
import { ROOT } from "../root";

export type Status = {
  state: "indexing" | "ready";
  model: string;
  device: string;
  store: string;
  photos: number;
  indexed: number;
  waiting: number;
  skipped: number;
  skipped_photos: { filename: string; reason: string }[];
  damaged: number;
  damaged_photos: string[];
  not_read: Record<string, number>;
  raw_beside: number;
  seconds_to_go: number | null;
  last_change: string | null;
  /** That the model reads; null: many. */
  languages?: string[] | null;
  /** The words on photos: how many photos they were read on; null: they are not looked for. */
  words?: { read: number; photos: number; languages: string[] | null; trouble: string } | null;
  notices: string[];
  last_error: string | null;
};

/** Where every photo that was skipped is listed, for a spreadsheet. */
export const ALL_SKIPPED_URL = `${ROOT}status/skipped?format=csv`;

/** Have every photo that was skipped looked at again; what to say of it. */
export async function retrySkipped(): Promise<string> {
  const response = await fetch(`${ROOT}status/retry`, { method: "POST" }).catch(() => null);
  if (!response) return `${texts.serverAway}.`;
  if (response.ok) return texts.lookedAtAgain;
  return reasonOf(response, await response.json().catch(() => null));
}
