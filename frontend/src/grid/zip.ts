/** Several photos as one file: the server makes it, and the browser saves it as it comes. */

import { reasonOf } from "../api";
import { formatNumber, nameOf } from "../format";
import { ROOT } from "../root";
import { texts } from "../texts";

const ADDRESS = `${ROOT}archive`;
const NAMES_SHOWN = 3;

function notDownloaded(filenames: string[]): string {
  if (filenames.length === 0) return "";
  const names = filenames.slice(0, NAMES_SHOWN).map(nameOf);
  const all = names.join(", ") + (filenames.length > NAMES_SHOWN ? ", …" : "");
  return texts.notDownloaded(formatNumber(filenames.length), filenames.length, all);
}

/** Have the browser download photos as an archive; returns what there is to say of that. */
export async function downloadZip(filenames: string[]): Promise<string> {
  const names = JSON.stringify(filenames);
  const body = new URLSearchParams({ names });
  // Asked first: an error that a form is answered with would take the place of the page.
  const response = await fetch(`${ADDRESS}?check=true`, { method: "POST", body }).catch(() => null);
  if (!response) return texts.serverIsAway;
  const told = await response.json().catch(() => null);
  if (response.status === 404) return notDownloaded(filenames);
  if (!response.ok) return reasonOf(response, told);

  const form = document.createElement("form");
  form.method = "POST";
  form.action = ADDRESS;
  form.hidden = true;
  form.append(Object.assign(document.createElement("input"), { name: "names", value: names }));
  document.body.append(form);
  form.submit();
  form.remove();
  return notDownloaded(told.missing);
}
