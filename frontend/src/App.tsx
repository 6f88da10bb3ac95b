import "./App.css";
import { Above } from "./box/Above";
import { rememberSearch } from "./box/recents";
import { TopBar } from "./box/TopBar";
import { useExamples } from "./box/useExamples";
import { useDensity } from "./grid/density";
import { NewPhotos } from "./grid/NewPhotos";
import { Results } from "./grid/Results";
import { ROOT } from "./root";
import { StatusLine } from "./status/StatusLine";
import { useStatus } from "./status/useStatus";
import { EMPTY_QUERY, typedOf, urlOf, useUrlState, type Query } from "./urlState";
import { useFreshResults } from "./useFreshResults";
import { useScrolled } from "./useScrolled";
import { useScrollMemory } from "./useScrollMemory";
import { useSearch } from "./useSearch";
import { useTitle } from "./useTitle";
import { Keys } from "./viewer/Keys";
import { Viewer } from "./viewer/Viewer";

export function App() {
  useScrolled();
  const { url, go, turn, close } = useUrlState();
  useTitle(url);
  const { query, key, open } = url;
  const { status, version, recovered } = useStatus();
  const density = useDensity();
  const found = useSearch(url, version, recovered);
  const { state, loadMore } = found;
  const savePosition = useScrollMemory(key, url.saved.y, state);
  const { news, refresh } = useFreshResults(version, status, recovered, url, found);

  const photos = state.kind === "found" ? state.photos : [];

  /** Leave for another query, from a place that Back finds again. */
  function ask(next: Query, stay = false) {
    savePosition();
    if (urlOf(next) === key && !open) refresh();
    else go({ query: next, stay });
  }

  const askFor = (changed: Partial<Query>) => ask({ ...EMPTY_QUERY, ...changed });
  // Another question than before: what fits less well was wanted for that one.
  // The month it began with may have none of it.
  const refine = (next: Query) =>
    ask({ ...next, duplicates: false, showAll: false, at: next.at === query.at ? "" : next.at });

  function search(changed: Partial<Query>) {
    const next = { ...query, ...changed };
    if (next.q) rememberSearch(typedOf(next));
    refine(next);
  }

  function openPhoto(filename: string) {
    savePosition();
    go({ open: filename });
  }

  const { examples, placeholder } = useExamples(status);
  const isStart = key === ROOT && (state.kind === "loading" || photos.length > 0);
  return (
    <>
      <TopBar
        query={query}
        status={status}
        placeholder={placeholder}
        onHome={() => askFor({})}
        onAsk={search}
      />
      <main>
        <Above
          state={state}
          query={query}
          status={status}
          examples={isStart ? examples : null}
          onSearch={search}
          onRefine={refine}
          onSort={ask}
          onOpen={openPhoto}
          onLike={(filename) => askFor({ like: [filename] })}
          density={density}
          recovered={recovered}
        />
        {news && <NewPhotos news={news} onShow={() => (scrollTo(0, 0), refresh())} />}
        <Results
          state={state}
          query={query}
          status={status}
          onQuery={refine}
          onOpen={openPhoto}
          onLike={(filename) => askFor({ like: [filename] })}
          onMore={loadMore}
          onAsk={ask}
          onTryAgain={refresh}
          density={density}
          recovered={recovered}
        />
      </main>
      <StatusLine status={status} isEnd={state.kind !== "found" || !state.more || state.truncated} />
      <Viewer
        url={url}
        state={state}
        version={version}
        onMore={loadMore}
        onTurn={turn}
        onClose={close}
        onAsk={askFor}
      />
      <Keys />
    </>
  );
}
