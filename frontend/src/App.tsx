import { useEffect, useState } from "preact/hooks";
import { Results } from "./Results";
import { SearchBar } from "./SearchBar";
import { useSearch, type SearchState } from "./useSearch";

const NAME = "Image Search";
const EXAMPLES = ["a cup of coffee", "a cat", "a rocket launch"];

function queryInUrl(): string {
  return new URLSearchParams(location.search).get("q")?.trim() ?? "";
}

function statusOf(state: SearchState): string {
  if (state.kind === "loading") return `Searching for “${state.query}”…`;
  if (state.kind !== "done") return "";
  const count = state.photos.length;
  return `${count || "No"} ${count === 1 ? "photo" : "photos"} for “${state.query}”`;
}

function Brand() {
  return (
    <h1 class="brand">
      <a href="/">
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <circle cx="10.5" cy="10.5" r="8" />
          <path d="m16.5 16.5 5 5M3.5 13.5 8 9l3.5 3.5 2-2 4 4" />
        </svg>
        <span>{NAME}</span>
      </a>
    </h1>
  );
}

function Welcome({ onSearch }: { onSearch: (query: string) => void }) {
  return (
    <section class="welcome">
      <p>Say in plain words what you want to see, and find it among your photos.</p>
      <ul class="examples" role="list" aria-label="Examples">
        {EXAMPLES.map((example) => (
          <li key={example}>
            <button onClick={() => onSearch(example)}>{example}</button>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function App() {
  const [query, setQuery] = useState(queryInUrl);
  const { state, searchAgain } = useSearch(query);

  useEffect(() => {
    const follow = () => setQuery(queryInUrl());
    addEventListener("popstate", follow);
    return () => removeEventListener("popstate", follow);
  }, []);

  useEffect(() => {
    document.title = query ? `${query} · ${NAME}` : NAME;
  }, [query]);

  function search(text: string) {
    if (text === query) return searchAgain();
    history.pushState(null, "", text ? `?${new URLSearchParams({ q: text })}` : location.pathname);
    setQuery(text);
    scrollTo(0, 0);
  }

  return (
    <div class={state.kind === "idle" ? "app idle" : "app"}>
      <header>
        <Brand />
        <SearchBar query={query} onSearch={search} />
      </header>
      <main>
        <p class={state.kind === "loading" ? "status busy" : "status"} role="status">
          {statusOf(state)}
        </p>
        {state.kind === "idle" ? (
          <Welcome onSearch={search} />
        ) : (
          <Results state={state} onTryAgain={searchAgain} />
        )}
      </main>
    </div>
  );
}
