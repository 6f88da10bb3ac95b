import { formatQuery, photoCount } from "../format";
import type { Density } from "../grid/density";
import { DensityControl } from "../grid/DensityControl";
import { texts } from "../texts";
import { countFilters, isScored, type Query } from "../urlState";
import type { SearchState } from "../useSearch";
import { Exclude } from "./Exclude";
import "./Headline.css";

/** What a screen reader says, and the line above the photos. */
function headline(state: SearchState, query: Query): string {
  const phrase = formatQuery(query);
  if (state.kind === "loading") return phrase ? texts.searching(phrase) : texts.loadingNewest;
  if (state.kind === "failed") return "";
  const { length } = state.photos;
  if (length === 0) return texts.noPhotosThatAre(phrase).trim();
  if (!phrase && !countFilters(query)) return texts.newestPhotos;
  const photos = photoCount(length);
  const first = state.more && !state.truncated;
  return `${first ? texts.theFirst(photos) : photos} ${phrase}`.trim();
}

type SortProps = { query: Query; onQuery: (query: Query) => void };

/** Without words there is no best: photos are in the order of time. */
const sortOf = (query: Query) =>
  query.sort === "score" && !isScored(query) ? "newest" : query.sort;

function Sort({ query, onQuery }: SortProps) {
  const choice = (sort: Query["sort"], label: string) => (
    <button aria-pressed={sortOf(query) === sort} onClick={() => onQuery({ ...query, sort, at: "" })}>
      {label}
    </button>
  );
  return (
    <div class="sort" role="group" aria-label={texts.sort}>
      {isScored(query) && choice("score", texts.best)}
      {choice("newest", texts.newest)}
      {choice("oldest", texts.oldest)}
    </div>
  );
}

type Props = {
  state: SearchState;
  query: Query;
  onRefine: (query: Query) => void;
  onSort: (query: Query) => void;
  density: Density;
};

/** The line above the photos: what they are, and how they may be narrowed down and sorted. */
export function Headline({ state, query, onRefine, onSort, density }: Props) {
  return (
    <div class="line">
      <p class={state.kind === "loading" ? "busy" : ""} role="status">
        {headline(state, query)}
      </p>
      {state.kind !== "failed" && (
        <div class="controls">
          {isScored(query) && <Exclude query={query} onQuery={onRefine} />}
          <Sort query={query} onQuery={onSort} />
          <DensityControl density={density} />
        </div>
      )}
    </div>
  );
}
