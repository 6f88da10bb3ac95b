import { useEffect, useState } from "preact/hooks";
import { followStatus, type Status } from "./api";
import "./App.css";
import { Filters } from "./Filters";
import { folderOf, formatQuery, nameOf, photoCount } from "./format";
import { Icon } from "./Icon";
import { Lightbox } from "./Lightbox";
import { PhotoDrop } from "./PhotoDrop";
import { Results } from "./Results";
import { SearchBar } from "./SearchBar";
import { StatusLine } from "./StatusLine";
import { Exclude, Terms } from "./Terms";
import { saveUpload } from "./uploads";
import {
  countFilters,
  EMPTY_QUERY,
  isScored,
  parseQuery,
  urlOf,
  useUrlState,
  type Query,
} from "./urlState";
import { useFreshResults } from "./useFreshResults";
import { useScrollMemory } from "./useScrollMemory";
import { useSearch, type SearchState } from "./useSearch";

const NAME = "Image Search";
const EXAMPLES = ["a cup of coffee", "a rocket launch", "animal -cat"];

/** What a screen reader says, and the line above the photos. */
function headline(state: SearchState, query: Query): string {
  const phrase = formatQuery(query);
  if (state.kind === "loading")
    return phrase ? `Searching ${phrase}…` : "Loading the newest photos…";
  if (state.kind === "failed") return "";
  const { length } = state.photos;
  if (length === 0) return `No photos ${phrase}`.trim();
  if (!phrase && !countFilters(query)) return "Newest photos";
  const first = state.more && !state.truncated ? "The first " : "";
  return `${first}${photoCount(length)} ${phrase}`.trim();
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
      <ul class="chips examples" role="list" aria-label="Examples">
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
  const { url, go, turn, close } = useUrlState();
  const { query, key, open } = url;
  const { status, version } = useStatus();
  const { state, loadMore, searchAgain } = useSearch(query, key, url.saved.count ?? 0, version);
  const savePosition = useScrollMemory(key, url.saved.y, state);
  const { hasNews, refresh } = useFreshResults(version, url, state, searchAgain);

  const photos = state.kind === "found" ? state.photos : [];
  const at = photos.findIndex(({ filename }) => filename === open);
  const folders = [...new Set(photos.map(({ filename }) => folderOf(filename)))]
    .filter(Boolean)
    .sort();

  useEffect(() => {
    const phrase = query.q || formatQuery(query);
    document.title = [open && nameOf(open), phrase, NAME].filter(Boolean).join(" · ");
  }, [key, open]);

  /** Leave for another query, from a place that Back finds again. */
  function ask(next: Query, stay = false) {
    savePosition();
    if (urlOf(next) === key && !open) refresh();
    else go({ query: next, stay });
  }

  const askFor = (changed: Partial<Query>) => ask({ ...EMPTY_QUERY, ...changed });
  // Another question than before: what fits less well was wanted for that one.
  const refine = (next: Query) => ask({ ...next, showAll: false });

  function search(typed: string) {
    const { q, minus } = parseQuery(typed);
    refine({ ...query, q, minus: [...new Set([...query.minus, ...minus])] });
  }

  const searchByUpload = async (file: File) => askFor({ image: await saveUpload(file) });

  function showNews() {
    scrollTo(0, 0);
    refresh();
  }

  function openPhoto(filename: string) {
    savePosition();
    go({ open: filename });
  }

  function turnTo(filename: string) {
    turn(filename);
    if (filename === photos.at(-1)?.filename) loadMore();
  }

  const isStart = key === "/" && (state.kind === "loading" || photos.length > 0);
  return (
    <>
      <header>
        <h1 class="brand">
          <a href="/" onClick={(event) => (event.preventDefault(), askFor({}))}>
            <Icon name="brand" />
            <span>{NAME}</span>
          </a>
        </h1>
        <SearchBar q={query.q} onSearch={search} onPhoto={searchByUpload} />
        <Filters query={query} folders={folders} onQuery={refine} />
      </header>
      <main>
        {isStart && <Welcome onSearch={(example) => askFor(parseQuery(example))} />}
        <Terms query={query} onQuery={refine} />
        <div class="line">
          <p class={state.kind === "loading" ? "busy" : ""} role="status">
            {headline(state, query)}
          </p>
          {isScored(query) && state.kind !== "failed" && (
            <div class="controls">
              <Exclude query={query} onQuery={refine} />
              <Sort query={query} onQuery={ask} />
            </div>
          )}
        </div>
        {hasNews && (
          <button class="strong news" onClick={showNews}>
            Show new photos
          </button>
        )}
        <Results
          state={state}
          query={query}
          status={status}
          onQuery={refine}
          onOpen={openPhoto}
          onLike={(filename) => askFor({ like: filename })}
          onMore={loadMore}
          onShowAll={() => ask({ ...query, showAll: true }, true)}
          onTryAgain={refresh}
        />
      </main>
      <StatusLine status={status} />
      {open && (
        <Lightbox
          filename={open}
          photo={photos[at]}
          previous={photos[at - 1]}
          next={at < 0 ? undefined : photos[at + 1]}
          onTurn={turnTo}
          onLike={(filename) => askFor({ like: filename })}
          onCamera={(camera) => askFor({ camera })}
          onClose={close}
        />
      )}
      <PhotoDrop onPhoto={searchByUpload} />
    </>
  );
}
