/** The address bar: all that the page shows follows from it, so Back, reload and sharing work. */

import { useEffect, useRef, useState } from "preact/hooks";
import { ROOT } from "./root";

export type Query = {
  q: string;
  /** What is looked in, of meaning, name, text and description, with commas. Empty: all. */
  scope: string;
  /** Whether photos that are there more than once are wanted, and nothing else. */
  duplicates: boolean;
  /** Photos that others are to be like. */
  like: string[];
  /** Photos that are left out, as is what looks like them. */
  unlike: string[];
  /** The id under which `uploads.ts` keeps the visitor's own photo. */
  image: string;
  minus: string[];
  folder: string;
  after: string;
  before: string;
  near: string;
  camera: string;
  sort: "score" | "newest" | "oldest";
  /** The month with which the page begins, such as 2024-05, in the order of time. */
  at: string;
  /** Whether the photos that fit less well are wanted too. */
  showAll: boolean;
};

/** `open`: the photo that is open. `key`: the query as a string, to tell one from another. */
export type UrlState = { query: Query; key: string; open: string; saved: Saved };

/** What the browser keeps with an entry of its history, besides the address. */
type Saved = { y?: number; count?: number; opened?: boolean };

export const NO_FILTERS = { folder: "", after: "", before: "", near: "", camera: "", scope: "" };

/** Those that stand in the box. */
export const NO_PHOTOS = { like: [] as string[], unlike: [] as string[], image: "" };

export const EMPTY_QUERY: Query = {
  q: "",
  ...NO_PHOTOS,
  minus: [],
  duplicates: false,
  ...NO_FILTERS,
  sort: "score",
  at: "",
  showAll: false,
};

/** Whether anything is asked for that photos can fit more or less well. */
export const isScored = ({ q, like, image, minus }: Omit<Query, "unlike">) =>
  Boolean(q || like.length || image || minus.length);

export const hasPhotos = ({ like, unlike, image }: Query) =>
  Boolean(like.length || unlike.length || image);

export const countFilters = (query: Query) =>
  Object.keys(NO_FILTERS).filter((name) => query[name as keyof typeof NO_FILTERS]).length;

/** Parameters that are given once for each of several texts. */
export function appendAll(parameters: URLSearchParams, lists: Record<string, string[]>): void {
  for (const [name, texts] of Object.entries(lists))
    for (const text of texts) parameters.append(name, text);
}

export function urlOf(query: Query, open = ""): string {
  const { like, unlike, minus, sort, showAll, at, scope, duplicates, ...texts } = query;
  const parameters = new URLSearchParams(Object.entries(texts).filter(([, text]) => text));
  appendAll(parameters, { like, unlike, minus });
  if (scope) parameters.set("in", scope);
  if (duplicates) parameters.set("duplicates", "1");
  if (sort !== "score") parameters.set("sort", sort);
  if (at && !isScored(query)) parameters.set("at", at);
  if (showAll) parameters.set("rest", "1"); // its name in links that were shared already
  if (open) parameters.set("photo", open);
  return `${ROOT}?${parameters}`.replace(/\?$/, "");
}

const sortOf = (text: string) => (text === "newest" || text === "oldest" ? text : "score");

function readUrl(): UrlState {
  const parameters = new URLSearchParams(location.search);
  const text = (name: string) => parameters.get(name)?.trim() ?? "";
  const list = (name: string) => [
    ...new Set(parameters.getAll(name).filter((text) => text.trim())),
  ];
  const query: Query = {
    q: text("q"),
    scope: text("in"),
    duplicates: parameters.has("duplicates"),
    like: list("like"),
    unlike: list("unlike"),
    image: text("image"),
    minus: list("minus"),
    folder: text("folder"),
    after: text("after"),
    before: text("before"),
    near: text("near"),
    camera: text("camera"),
    sort: sortOf(text("sort")),
    at: /^\d{4}-(0[1-9]|1[0-2])$/.test(text("at")) ? text("at") : "",
    showAll: parameters.has("rest"),
  };
  return { query, key: urlOf(query), open: text("photo"), saved: history.state ?? {} };
}

/** Save something with the current entry of the history, for Back and reload. */
export function saveInHistory(saved: Saved): void {
  history.replaceState({ ...history.state, ...saved }, "");
}

const MINUS = /(^|\s)[-−–](?:"([^"]+)"|([^\s"]+))/g;

/** Split what was typed: `dog -grass -"green leaves"` is a dog, and two things it is without. */
export function parseQuery(typed: string): { q: string; minus: string[] } {
  const minus: string[] = [];
  // Phones write quotes as books have them.
  const plain = typed.replace(/[“”„]/g, '"');
  const q = plain.replace(MINUS, (_, space: string, quoted?: string, word?: string) => {
    minus.push((quoted ?? word ?? "").trim());
    return space;
  });
  const terms = [...new Set(minus.filter(Boolean))];
  // A minus that nothing follows is about to be one.
  return { q: q.replace(/(^|\s)[-−–](?=\s|$)/g, "").replace(/\s+/g, " ").trim(), minus: terms };
}

/** The words of a query as they are typed; those to do without come last, each with its minus. */
export function typedOf({ q, minus }: Pick<Query, "q" | "minus">): string {
  const without = minus.map((term) => (/[\s"]/.test(term) ? `-"${term.replaceAll('"', "")}"` : `-${term}`));
  return [q, ...without].filter(Boolean).join(" ");
}

/** `stay`: at the same place on the page. A photo is opened above where the visitor is. */
export type Go = (to: { query?: Query; open?: string; stay?: boolean }) => void;

/** What the address says, and the ways to change it: `go` makes an entry in the history. */
export function useUrlState(): {
  url: UrlState;
  go: Go;
  turn: (open: string) => void;
  close: () => void;
} {
  const [url, setUrl] = useState(readUrl);

  // The same query stays the same object, so that what was made from it need not be made anew.
  const update = () =>
    setUrl((last) => {
      const next = readUrl();
      return next.key === last.key ? { ...next, query: last.query } : next;
    });

  // A browser takes its time to go back: what is asked for meanwhile has to wait, or would be lost.
  const isGoingBack = useRef(false);
  const next = useRef<(() => void) | null>(null);

  function arrive() {
    isGoingBack.current = false;
    update();
    next.current?.();
    next.current = null;
  }

  useEffect(() => {
    history.scrollRestoration = "manual"; // the page is as high as before only once it is filled
    addEventListener("popstate", arrive);
    return () => removeEventListener("popstate", arrive);
  }, []);

  const go: Go = (to) => {
    if (isGoingBack.current) {
      next.current = () => go(to);
      return;
    }
    const { query = url.query, open = "", stay = open !== "" } = to;
    const saved: Saved = stay ? { ...history.state, opened: open !== "" } : {};
    history.pushState(saved, "", urlOf(query, open));
    update();
  };

  const turn = (open: string) => {
    history.replaceState(history.state, "", urlOf(url.query, open));
    update();
  };

  const close = () => {
    if (!url.saved.opened) return turn("");
    isGoingBack.current = true;
    history.back();
  };

  return { url, go, turn, close };
}
