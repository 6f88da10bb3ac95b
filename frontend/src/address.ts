/** The address bar: all that the page shows follows from it, so Back, reload and sharing work. */

import { useEffect, useState } from "preact/hooks";

export type Query = {
  q: string;
  like: string;
  /** The name under which `brought.ts` keeps a photo that the visitor brought. */
  image: string;
  minus: string[];
  folder: string;
  after: string;
  before: string;
  sort: "score" | "newest";
  /** Whether the photos that fit less well are wanted too. */
  rest: boolean;
};

/** `open`: the photo in the lightbox. `key`: the query as a string, to tell one from another. */
export type Place = { query: Query; key: string; open: string; kept: Kept };

/** What the browser keeps with an entry of its history, besides the address. */
type Kept = { y?: number; count?: number; opened?: boolean };

export const EVERYTHING: Query = {
  q: "",
  like: "",
  image: "",
  minus: [],
  folder: "",
  after: "",
  before: "",
  sort: "score",
  rest: false,
};

export const isDescribed = ({ q, like, image, minus }: Query) =>
  Boolean(q || like || image || minus.length);

export const filtersOf = ({ folder, after, before }: Query) =>
  [folder, after, before].filter(Boolean).length;

export function addressOf(query: Query, open = ""): string {
  const { minus, sort, rest, ...texts } = query;
  const parameters = new URLSearchParams(Object.entries(texts).filter(([, text]) => text));
  for (const term of minus) parameters.append("minus", term);
  if (sort !== "score") parameters.set("sort", sort);
  if (rest) parameters.set("rest", "1");
  if (open) parameters.set("photo", open);
  return `/?${parameters}`.replace(/\?$/, "");
}

function here(): Place {
  const parameters = new URLSearchParams(location.search);
  const text = (name: string) => parameters.get(name)?.trim() ?? "";
  const query: Query = {
    q: text("q"),
    like: text("like"),
    image: text("image"),
    minus: parameters.getAll("minus").filter((term) => term.trim()),
    folder: text("folder"),
    after: text("after"),
    before: text("before"),
    sort: text("sort") === "newest" ? "newest" : "score",
    rest: parameters.has("rest"),
  };
  return { query, key: addressOf(query), open: text("photo"), kept: history.state ?? {} };
}

/** Note in the history where the visitor is on the page, so that Back and reload lead there. */
export function keep(kept: Kept): void {
  history.replaceState({ ...history.state, ...kept }, "");
}

const MINUS = /(^|\s)[-−–](?:"([^"]+)"|([^\s"]+))/g;

/** Split what was typed: `dog -grass -"green leaves"` is a dog, and two things it is without. */
export function understood(typed: string): { q: string; minus: string[] } {
  const minus: string[] = [];
  const q = typed.replace(MINUS, (_, space: string, quoted?: string, word?: string) => {
    minus.push((quoted ?? word ?? "").trim());
    return space;
  });
  return { q: q.replace(/\s+/g, " ").trim(), minus: minus.filter(Boolean) };
}

/** `stay`: at the same place on the page. A photo is opened above where the visitor is. */
export type Go = (to: { query?: Query; open?: string; stay?: boolean }) => void;

/** Where the page is, and the ways to leave: to a place of its own in the history, or in place. */
export function usePlace(): {
  place: Place;
  go: Go;
  turn: (open: string) => void;
  close: () => void;
} {
  const [place, setPlace] = useState(here);

  // The same query stays the same object, so that what was made from it need not be made anew.
  const arrive = () =>
    setPlace((last) => {
      const next = here();
      return next.key === last.key ? { ...next, query: last.query } : next;
    });

  useEffect(() => {
    history.scrollRestoration = "manual"; // the page is as high as before only once it is filled
    addEventListener("popstate", arrive);
    return () => removeEventListener("popstate", arrive);
  }, []);

  const go: Go = ({ query = place.query, open = "", stay = open !== "" }) => {
    const kept: Kept = stay ? { ...history.state, opened: open !== "" } : {};
    history.pushState(kept, "", addressOf(query, open));
    arrive();
  };

  const turn = (open: string) => {
    history.replaceState(history.state, "", addressOf(place.query, open));
    arrive();
  };

  const close = () => {
    if (place.kept.opened) history.back();
    else turn("");
  };

  return { place, go, turn, close };
}
