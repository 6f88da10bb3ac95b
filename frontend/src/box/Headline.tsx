import type { Found } from "../api";
import { formatNumber, formatQuery, photoCount } from "../format";
import { Icon } from "../Icon";
import type { Density } from "../grid/density";
import { DensityControl } from "../grid/DensityControl";
import { texts } from "../texts";
import { countFilters, isScored, type Query } from "../urlState";
import type { SearchState } from "../useSearch";
import "./Headline.css";

/** How many photos there are, as far as that is known; `cut`: weaker ones are left out. */
function count({ photos, more, truncated, overview }: Found, cut: boolean): string {
  const { total, searched } = overview;
  const shown = photoCount(photos.length);
  if (total === null) return more && !truncated ? texts.moreThan(shown) : shown;
  if (cut && searched !== null && searched > total)
    return texts.countOf(formatNumber(total), photoCount(searched));
  return photoCount(total);
}

/** The line above the photos: what they are, in as few words as will do. */
function headline(state: SearchState, query: Query): string {
  const isAll = !isScored(query) && !countFilters(query);
  if (state.kind === "loading") return isAll ? texts.loadingNewest : texts.searching;
  if (state.kind === "failed") return "";
  if (state.photos.length === 0) return texts.noPhotos;
  if (query.duplicates)
    return texts.groups(formatNumber(state.overview.total ?? 0), state.overview.total ?? 0);
  if (isAll) return query.sort === "oldest" ? texts.oldestPhotos : texts.newestPhotos;
  if (state.overview.fits === false) return texts.nothingFits(query.q);
  return count(state, state.truncated || (isScored(query) && !query.showAll));
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

/** Begin a word to do without where it belongs: in the box, which shows how it is written. */
function exclude() {
  const box = document.getElementById("q") as HTMLInputElement;
  box.value = `${box.value.trimEnd()} -`.trimStart();
  box.dispatchEvent(new Event("input", { bubbles: true }));
  box.focus();
  box.setSelectionRange(box.value.length, box.value.length);
}

type Props = {
  state: SearchState;
  query: Query;
  onSort: (query: Query) => void;
  density: Density;
};

/** The line above the photos, and how they may be narrowed down and sorted. */
export function Headline({ state, query, onSort, density }: Props) {
  // What there is none of is said where the photos would be.
  const isNone = state.kind === "found" && state.photos.length === 0;
  const look = state.kind === "loading" ? "busy" : isNone ? "unseen" : "";
  return (
    <div class="line">
      <p class={look} role="status">
        {headline(state, query)}
        {state.kind !== "failed" && (
          // Who hears this is not looking at the box.
          <span class="unseen"> {formatQuery(query)}</span>
        )}
      </p>
      {state.kind !== "failed" && !isNone && (
        <div class="controls">
          {isScored(query) && (
            <button class="chip small exclude" title={texts.excludeHint} onClick={exclude}>
              <Icon name="without" />
              <span class="label">{texts.exclude}</span>
            </button>
          )}
          {isScored(query) && query.showAll && (
            <button class="chip" onClick={() => onSort({ ...query, showAll: false })}>
              {texts.showFewer}
            </button>
          )}
          {!query.duplicates && <Sort query={query} onQuery={onSort} />}
          <DensityControl density={density} />
        </div>
      )}
    </div>
  );
}
