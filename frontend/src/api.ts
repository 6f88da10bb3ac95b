export type Photo = { filename: string; score: number };

export type Answer =
  | { kind: "done"; query: string; photos: Photo[] }
  | { kind: "failed"; reason: "unreachable" | "not ready" | "refused"; message: string };

const LIMIT = 24;

export function photoUrl(filename: string): string {
  return "/img/" + filename.split("/").map(encodeURIComponent).join("/");
}

function messageIn(body: { detail?: string | { msg: string }[] } | null, response: Response): string {
  if (typeof body?.detail === "string") return body.detail;
  if (body?.detail) return body.detail.map(({ msg }) => msg).join(". ");
  return `The server gave an unexpected answer (${response.status} ${response.statusText}).`;
}

export async function searchPhotos(query: string, signal: AbortSignal): Promise<Answer> {
  const parameters = new URLSearchParams({ q: query, limit: String(LIMIT) });
  const response = await fetch(`/search?${parameters}`, { signal }).catch(() => null);
  // 502 and 504 are a proxy, such as Vite's, saying that nobody answers behind it.
  if (!response || response.status === 502 || response.status === 504) {
    const message = "Make sure that it is running, then try again.";
    return { kind: "failed", reason: "unreachable", message };
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body?.results) return { kind: "done", query, photos: body.results };
  const reason = response.status === 503 ? "not ready" : "refused";
  return { kind: "failed", reason, message: messageIn(body, response) };
}
