import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import {
  addressOf,
  EVERYTHING,
  filtersOf,
  isDescribed,
  keep,
  understood,
  usePlace,
  type Query,
} from "./address";
import { followStatus, type Status } from "./api";
import { keepPhoto } from "./brought";
import { Filters } from "./Filters";
import { Icon } from "./Icon";
import { Lightbox } from "./Lightbox";
import { Results } from "./Results";
import { SearchBar } from "./SearchBar";
import { StatusLine } from "./StatusLine";
import { Exclude, Terms } from "./Terms";
import { usePhotoDrop } from "./usePhotoDrop";
import { useSearch, type SearchState } from "./useSearch";
import { folderOf, nameOf, photos, phraseOf } from "./words";

const NAME = "Image Search";
const EXAMPLES = ["a cup of coffee", "a rocket launch", "animal -cat"];
const NEAR_TOP = 120; // px; whoever is no further down is not reading on
const SETTLE_MS = 1000; // new photos come in bursts

/** What a screen reader says, and the line above the photos. */
function headline(state: SearchState, query: Query): string {
  const phrase = phraseOf(query);
  if (state.kind === "loading")
    return phrase ? `Searching ${phrase}…` : "Loading the newest photos…";
  if (state.kind === "failed") return "";
  const { length } = state.photos;
  if (length === 0) return `No photos ${phrase}`.trim();
  if (!phrase && !filtersOf(query)) return "Newest photos";
  const count = state.more && !state.cut ? `The first ${photos(length)}` : photos(length);
  return `${count} ${phrase}`.trim();
}

function Sort({ query, onQuery }: { query: Query; onQuery: (query: Query) => void }) {
  const choice = (sort: Query["sort"], label: string) => (
    <button aria-pressed={query.sort === sort} onClick={() => onQuery({ ...query, sort })}>
      {label}
    </button>
  );
  return (
    <div class="sort" role="group" aria-label="Sort">
      {choice("score", "Best")}
      {choice("newest", "Newest")}
    </div>
  );
}

function Welcome({ onSearch }: { onSearch: (typed: string) => void }) {
  return (
    <section class="welcome">
      <p>Say in plain words what you want to see, or start from a photo.</p>
      <ul class="examples" role="list" aria-label="Examples">
        {EXAMPLES.map((example) => (
          <li key={example}>
            <button class="chip" onClick={() => onSearch(example)}>
              {example}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The status of the server, and its index's version, which is another one after each change. */
function useStatus() {
  const [status, setStatus] = useState<Status | null>(null);
  useEffect(() => followStatus(setStatus), []);
  return { status, version: status && `${status.indexed} ${status.last_change}` };
}

export function App() {
  const { place, go, turn, close } = usePlace();
  const { query, key, open } = place;
  const { status, version } = useStatus();
  const { state, loadMore, searchAgain } = useSearch(query, key, place.kept.count ?? 0, version);
  const [waiting, setWaiting] = useState(false); // new photos, until the visitor wants to see them

  const shown = state.kind === "found" ? state.photos : [];
  const at = shown.findIndex(({ filename }) => filename === open);
  const folders = [...new Set(shown.map(({ filename }) => folderOf(filename)))]
    .filter(Boolean)
    .sort();

  const count = shown.length;
  const due = useRef<number | null>(null); // where to scroll to, once the photos are there
  const showing = useRef<string | null>(null); // the version of the index that is shown

  function startAfresh() {
    showing.current = null;
    setWaiting(false);
  }

  function lookAgain() {
    startAfresh();
    searchAgain();
  }

  useLayoutEffect(() => {
    const { y = null } = place.kept;
    due.current = y;
    if (y === null) scrollTo(0, 0);
    startAfresh();
  }, [key]);

  useLayoutEffect(() => {
    if (state.kind === "loading") return;
    if (due.current !== null) scrollTo(0, due.current);
    due.current = null;
  }, [state]);

  /** Note where the visitor is, unless the page is still on its way to somewhere. */
  function note() {
    if (due.current === null && state.kind === "found") keep({ y: scrollY, count });
  }

  useEffect(() => {
    let timer: number;
    const noteSoon = () => {
      clearTimeout(timer);
      timer = setTimeout(note, 100);
    };
    noteSoon();
    addEventListener("scroll", noteSoon, { passive: true });
    return () => {
      clearTimeout(timer);
      removeEventListener("scroll", noteSoon);
    };
  }, [key, state]);

  // New photos come in quietly for those who have only just arrived, and on demand for others.
  showing.current ??= version;
  const stale = state.kind === "found" && version !== null && version !== showing.current;
  useEffect(() => {
    if (!stale) return;
    const timer = setTimeout(
      () => {
        const settled = scrollY > NEAR_TOP || open || document.activeElement?.closest(".photos");
        if (settled) setWaiting(true);
        else lookAgain();
      },
      count ? SETTLE_MS : 0,
    );
    return () => clearTimeout(timer);
  }, [stale, open, key]);

  useEffect(() => {
    const phrase = query.q || phraseOf(query);
    document.title = [open && nameOf(open), phrase, NAME].filter(Boolean).join(" · ");
  }, [key, open]);

  /** Leave for another query, from a place that Back finds again. */
  function ask(next: Query, stay = false) {
    note();
    if (addressOf(next) === key && !open) lookAgain();
    else go({ query: next, stay });
  }

  const askFor = (changed: Partial<Query>) => ask({ ...EVERYTHING, ...changed });
  // Another question than before: the rest was wanted for that one.
  const refine = (next: Query) => ask({ ...next, rest: false });

  function search(typed: string) {
    const { q, minus } = understood(typed);
    refine({ ...query, q, minus: [...new Set([...query.minus, ...minus])] });
  }

  const bring = async (file: File) => askFor({ image: await keepPhoto(file) });
  const held = usePhotoDrop(bring);

  function showNew() {
    scrollTo(0, 0);
    lookAgain();
  }

  function turnTo(filename: string) {
    turn(filename);
    if (filename === shown.at(-1)?.filename) loadMore();
  }

  const inviting = key === "/" && (state.kind === "loading" || count > 0);
  return (
    <>
      <header>
        <h1 class="brand">
          <a href="/" onClick={(event) => (event.preventDefault(), askFor({}))}>
            <Icon name="brand" />
            <span>{NAME}</span>
          </a>
        </h1>
        <SearchBar q={query.q} onSearch={search} onPhoto={bring} />
        <Filters query={query} folders={folders} onQuery={refine} />
      </header>
      <main>
        {inviting && <Welcome onSearch={(example) => askFor(understood(example))} />}
        <Terms query={query} onQuery={refine} />
        <div class="line">
          <p class={state.kind === "loading" ? "busy" : ""} role="status">
            {headline(state, query)}
          </p>
          {isDescribed(query) && state.kind !== "failed" && (
            <div class="controls">
              <Exclude query={query} onQuery={refine} />
              <Sort query={query} onQuery={(next) => ask(next)} />
            </div>
          )}
        </div>
        {waiting && (
          <button class="strong news" onClick={showNew}>
            Show new photos
          </button>
        )}
        <Results
          state={state}
          query={query}
          status={status}
          onQuery={refine}
          onOpen={(filename) => {
            note();
            go({ open: filename });
          }}
          onLike={(filename) => askFor({ like: filename })}
          onMore={loadMore}
          onRest={() => ask({ ...query, rest: true }, true)}
          onTryAgain={lookAgain}
        />
      </main>
      <StatusLine status={status} />
      {open && (
        <Lightbox
          filename={open}
          photo={shown[at]}
          previous={at > 0 ? shown[at - 1]?.filename : undefined}
          next={at < 0 ? undefined : shown[at + 1]?.filename}
          onTurn={turnTo}
          onLike={(filename) => askFor({ like: filename })}
          onClose={close}
        />
      )}
      {held && (
        <div class="drop">
          <p>
            <Icon name="photo" />
            Drop the photo to find its like
          </p>
        </div>
      )}
    </>
  );
}
