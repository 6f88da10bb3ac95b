/** What the page asks the server for: photos, in full size and in small. */

import { monthAfter } from "./format";
import { findDuplicates } from "./duplicates";
import { ROOT } from "./root";
import { texts } from "./texts";
import { appendAll } from "./urlState";

/** What else a photo's header tells, as far as it does. */
export type Details = {
  camera?: string;
  lens?: string;
  /** In seconds. */
  exposure?: number;
  /** The f-number. */
  aperture?: number;
  iso?: number;
  /** In millimetres. */
  focal_length?: number;
  place?: { lat: number; lon: number };
  /** In metres. */
  altitude?: number;
  /** 1 to 5 stars, or -1: rejected. */
  rating?: number;
  title?: string;
  description?: string;
  keywords?: string[];
};

/** What a photo was found by. */
export type Way = "name" | "text" | "description" | "meaning";

/** Words on a photo, and where: its four corners, x and y in turn, as shares of its sides. */
export type Line = { text: string; box: number[]; confidence: number };

export type Photo = {
  filename: string;
  score: number | null;
  width: number;
  height: number;
  taken: string | null;
  /** Where that is told; `file`: it is when the file was last written. */
  taken_from?: string | null;
  details?: Details;
  damaged?: boolean;
  /** Whether browsers show its own file; of another there is a copy in full size. */
  in_browsers?: boolean;
  /** Of its file, as far as the photo's own record is known. */
  file_bytes?: number | null;
  /** Another one as soon as there is something else in the file. */
  version: string;
  /** A picture of it in 25 bytes. */
  thumbhash?: string | null;
  /** Photos that are nearly the same. */
  similar?: Photo[];
  /** What it was found by, the weightiest first, and the words that match. */
  why?: Way[] | null;
  matches?: Partial<Record<Way, string[]>> | null;
  /** The words on it, as far as its own record is known; null: they were not looked for. */
  text?: Line[] | null;
  /** Of photos that are nearly the same: the first of them, and how many there are. */
  group?: { name: string; size: number };
};

export type Failure = {
  reason: "unreachable" | "not ready" | "unreadable" | "refused" | "not here";
  message: string;
};

/** `truncated`: photos that fit the search less well were left out, and can be asked for. */
export type Found = {
  photos: Photo[];
  more: boolean;
  truncated: boolean;
  /** How many photos come before the next page, those that are folded too. */
  next: number;
  /** How many come before these. */
  offset: number;
  overview: Overview;
  /** Whether the server is still looking into what has changed since. */
  isPending?: boolean;
};

/** What the first page says of all of them. */
export type Overview = {
  /** On all pages; null if there are more than can be counted. */
  total: number | null;
  /** How many the filters let through. */
  searched: number | null;
  /** Whether the best fits better than nonsense does; null if that can't be told. */
  fits: boolean | null;
  /** Photos that are called what was typed, and folders. */
  named: Photo[];
  namedFolders: string[];
  /** If there is no folder of that name: those with a similar one. */
  similarFolders: string[] | null;
  /** The end of what was typed, if the model has no room for it. */
  unread: string;
};

/** What can be asked for; `upload` is the visitor's own photo. Empty means: any. */
export type Question = {
  q: string;
  /** What is looked in, with commas. */
  scope: string;
  /** Whether photos that are there more than once are wanted, and nothing else. */
  duplicates: boolean;
  like: string[];
  unlike: string[];
  minus: string[];
  folder: string;
  after: string;
  before: string;
  /** Latitude, longitude and kilometres, with commas. */
  near: string;
  camera: string;
  sort: "score" | "newest" | "oldest";
  /** The month with which an order of time is to begin. */
  at: string;
  upload: Blob | null;
  offset: number;
  /** The photo that the others are wanted around, whatever the offset is. */
  around?: string;
  /** Whether photos that are nearly the same are wanted one by one. */
  isFlat?: boolean;
  showAll: boolean;
};

const PAGE_SIZE = 100;
/** Photos that are nearly the same come as one, but not in the order of time, which has them all. */
const FOLD = "true";
// Photos that score less than this share of the best one are shown on demand only.
const CUTOFF = 0.75;

export const pathOf = (filename: string) => filename.split("/").map(encodeURIComponent).join("/");

/** A photo in an address; of some only the name is known. */
type Address = { filename: string; version?: string };

// With the version in its address a browser keeps a file for good, and a changed photo is shown
// at once; without one it asks each time.
export const originalUrl = ({ filename, version }: Address) =>
  `${ROOT}img/${pathOf(filename)}${version ? `?v=${version}` : ""}`;

export const thumbUrl = ({ filename, version }: Address, size: 256 | 512 | 1024 | 2048 | "full") =>
  `${ROOT}thumb/${pathOf(filename)}?size=${size}${version ? `&v=${version}` : ""}`;

function parametersOf(question: Question): URLSearchParams {
  const { q, scope, like, unlike, minus, folder, after, before, near, camera } = question;
  const { sort, upload, offset, around = "", isFlat, showAll } = question;
  const scored = q || like.length || minus.length || upload;
  const at = scored ? "" : question.at;
  const wanted = {
    q,
    in: q && scope,
    folder,
    after: at && sort === "oldest" ? latest(after, `${at}-01`) : after,
    before: at && sort !== "oldest" ? earliest(before, `${monthAfter(at)}-01`) : before,
    near,
    camera,
    // Without scores there is no best: the newest come first, or the oldest.
    sort: scored || sort === "oldest" ? sort : "",
    fold: scored && sort === "score" && !isFlat ? FOLD : "",
    limit: String(PAGE_SIZE),
    offset: offset ? String(offset) : "",
    around,
    cutoff: scored && !showAll ? String(CUTOFF) : "",
  };
  const parameters = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
  appendAll(parameters, { like, unlike, minus });
  return parameters;
}

// Of two dates, or one.
const latest = (...dates: string[]) => dates.filter(Boolean).sort().at(-1)!;
const earliest = (...dates: string[]) => dates.filter(Boolean).sort()[0]!;

type Refusal = { detail?: string | { loc: string[]; msg: string }[] };

type Body = {
  results: Photo[];
  total?: number | null;
  searched?: number | null;
  fits?: boolean | null;
  named?: Photo[];
  named_folders?: string[];
  similar_folders?: string[] | null;
  unread?: string;
  offset?: number;
  more?: boolean;
  below_cutoff?: boolean;
  next_offset?: number;
};

/** Why a request was refused, as far as the server says. */
export function reasonOf({ status, statusText }: Response, body: Refusal | null): string {
  const { detail } = body ?? {};
  if (typeof detail === "string") return detail;
  const sentences = detail?.map(({ loc, msg }) => `${loc.at(-1)}: ${msg}`);
  return sentences?.join(". ") ?? texts.unexpectedAnswer(`${status} ${statusText}`);
}

function failure(response: Response, body: Refusal | null, isUpload: boolean): Failure {
  const { status } = response;
  const message = reasonOf(response, body);
  if (status === 503) return { reason: "not ready", message };
  const unreadable = isUpload && [413, 415, 422].includes(status);
  return { reason: unreadable ? "unreadable" : "refused", message };
}

/** What the server answers, or why it does not. */
export async function request<T extends object>(
  path: string,
  options: RequestInit,
): Promise<T | Failure> {
  const response = await fetch(`${ROOT}${path}`, options).catch(() => null);
  // 502 and 504 are a proxy, such as Vite's, saying that nobody answers behind it.
  if (!response || response.status === 502 || response.status === 504) {
    return { reason: "unreachable", message: texts.makeSureItRuns };
  }
  const body: (T & Refusal) | null = await response.json().catch(() => null);
  return response.ok && body ? body : failure(response, body, options.method === "POST");
}

export async function search(question: Question, signal: AbortSignal): Promise<Found | Failure> {
  const { upload, offset, showAll } = question;
  if (question.duplicates) return findDuplicates(offset, signal);
  const parameters = parametersOf(question);
  const options: RequestInit = upload ? { method: "POST", body: upload, signal } : { signal };
  const body = await request<Body>(`search?${parameters}`, options);
  if ("reason" in body) return body;

  const { results: photos, more = false, offset: first = offset } = body;
  const { below_cutoff: isCut = photos.length < PAGE_SIZE } = body;
  const truncated = parameters.has("cutoff") && more && isCut;
  const next = body.next_offset ?? offset + photos.length;
  // The cutoff never leaves a page empty.
  if (truncated && offset + photos.length === 0 && !showAll) {
    return search({ ...question, showAll: true }, signal);
  }
  const overview = {
    total: body.total ?? null,
    searched: body.searched ?? null,
    fits: body.fits ?? null,
    named: body.named ?? [],
    namedFolders: body.named_folders ?? [],
    similarFolders: body.similar_folders ?? null,
    unread: body.unread ?? "",
  };
  return { photos, more, truncated, offset: first, next, overview };
}

/** A folder, and how many photos are in it and below it. */
export type Folder = { folder: string; photos: number };

/** `folders`: null as long as they are not known. `oldest`, `newest`: of all photos. */
export type Folders = { folders: Folder[] | null; oldest: string | null; newest: string | null };

const MOST_FOLDERS = 20_000;

async function ask<T>(path: string): Promise<T | null> {
  const response = await fetch(path).catch(() => null);
  return response?.ok ? response.json().catch(() => null) : null;
}

/** All folders, each above those that lie in it; null if they can't be had. */
export const fetchFolders = () => ask<Folders>(`${ROOT}folders?limit=${MOST_FOLDERS}`);

/** Searches that find something among these photos. */
export async function fetchExamples(): Promise<string[]> {
  const found = await ask<{ examples: string[] }>(`${ROOT}examples`);
  return found?.examples ?? [];
}
