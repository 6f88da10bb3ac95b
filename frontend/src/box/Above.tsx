import type { Density } from "../grid/density";
import type { Status } from "../status/serverStatus";
import { parseQuery, type Query } from "../urlState";
import type { SearchState } from "../useSearch";
import { Headline } from "./Headline";
import { Hints } from "./Hints";
import { Named } from "./Named";
import { Terms } from "./Terms";
import { Welcome } from "./Welcome";

type Props = {
  state: SearchState;
  query: Query;
  status: Status | null;
  /** Searches to begin with, if this is where one begins. */
  examples: string[] | null;
  onSearch: (changed: Partial<Query>) => void;
  onRefine: (query: Query) => void;
  onSort: (query: Query) => void;
  onOpen: (filename: string) => void;
  onLike: (filename: string) => void;
  density: Density;
  recovered: number;
};

const FIRST_PHOTOS = 6; // that are seen at once, on a phone too

/** What stands above the photos. */
export function Above({ state, query, status, examples, onSearch, onRefine, onSort, ...photos }: Props) {
  return (
    <>
      {examples && <Welcome examples={examples} onSearch={(one) => onSearch(parseQuery(one))} />}
      <Terms query={query} onQuery={onRefine} />
      {state.kind === "found" && (
        <Named
          overview={state.overview}
          best={state.photos.slice(0, FIRST_PHOTOS)}
          query={query}
          onQuery={onRefine}
          onAsk={onSort}
          {...photos}
        />
      )}
      <Headline state={state} query={query} onSort={onSort} density={photos.density} />
      <Hints state={state} query={query} languages={status?.languages ?? null} />
    </>
  );
}
