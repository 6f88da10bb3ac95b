/** What the server knows of one photo, or why that can't be told. */

import { pathOf, thumbUrl, type Photo } from "../api";
import { ROOT } from "../root";

/** `gone`: it is not in the index. `away`: nobody answers. `waiting`: try again. */
export type Problem = { kind: "gone" | "away" | "waiting" | "broken"; message: string };

export const isProblem = (answer: Photo | Problem | null): answer is Problem =>
  answer !== null && "kind" in answer;

async function ask(url: string, signal: AbortSignal): Promise<Response | Problem> {
  const answer = await fetch(url, { signal }).catch(() => null);
  // 502 and 504 are a proxy saying that nobody answers behind it.
  if (!answer || answer.status === 502 || answer.status === 504) {
    return { kind: "away", message: "" };
  }
  if (answer.ok) return answer;
  const { detail } = await answer.json().catch(() => ({}));
  const message = typeof detail === "string" ? detail : `${answer.status} ${answer.statusText}`;
  if (answer.status === 404) return { kind: "gone", message };
  return { kind: answer.status >= 500 ? "waiting" : "broken", message };
}

export async function fetchRecord(
  filename: string,
  signal: AbortSignal,
): Promise<Photo | Problem> {
  const answer = await ask(`${ROOT}photo/${pathOf(filename)}`, signal);
  if (!(answer instanceof Response)) return answer;
  return answer.json().catch(() => ({ kind: "away", message: "" }));
}

/** Why a photo of the index has no picture; null if it has one after all. */
export async function whyNoPicture(photo: Photo, signal: AbortSignal): Promise<Problem | null> {
  const answer = await ask(thumbUrl(photo, 1024), signal);
  // Of a file that is just not there the index may still hear that it was deleted.
  if (!(answer instanceof Response)) return answer.kind === "gone" ? { ...answer, kind: "waiting" } : answer;
  return null;
}
