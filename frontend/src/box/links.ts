/** Pictures by their links: the browser fetches them, as the server goes nowhere. */

import { ROOT } from "../root";
import { texts } from "../texts";

/** The address in a text that is nothing but one. */
export function linkIn(text: string): URL | null {
  const trimmed = text.trim();
  if (!/^(https?:\/\/|data:image\/)\S+$/i.test(trimmed)) return null;
  return URL.canParse(trimmed) ? new URL(trimmed) : null;
}

/** The photo of the index that an address of this server stands for. */
export function ownPhoto(link: URL): string | null {
  if (link.origin !== location.origin || !link.pathname.startsWith(ROOT)) return null;
  const path = /^(?:img|thumb)\/(.+)$/.exec(link.pathname.slice(ROOT.length))?.[1];
  return path ? decodeURIComponent(path) : link.searchParams.get("photo");
}

/** The picture at an address; throws an Error whose message says what to do instead. */
export async function fetchPicture(link: URL): Promise<File> {
  const options = { credentials: "omit", referrerPolicy: "no-referrer" } as const;
  const answer = await fetch(link, options).catch(() => null);
  // Which of the two it is the browser tells nobody.
  if (!answer) throw new Error(texts.siteRefuses(link.host));
  if (!answer.ok) throw new Error(texts.linkFails(link.host, String(answer.status)));
  const bytes = await answer.blob();
  if (bytes.type.startsWith("text/")) throw new Error(texts.noPictureThere);
  return new File([bytes], link.pathname.split("/").pop() || "picture", { type: bytes.type });
}
