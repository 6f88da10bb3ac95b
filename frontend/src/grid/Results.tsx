import { useEffect, useRef } from "preact/hooks";
import type { Photo } from "../api";
import { NothingFound } from "../box/NothingFound";
import { formatMonth } from "../format";
import { Empty, Failed, Notice } from "../status/Notices";
import type { Status } from "../status/serverStatus";
import { texts } from "../texts";
import { countFilters, hasPhotos, isScored, type Query } from "../urlState";
import type { SearchState } from "../useSearch";
import { NORMAL, rowHeight, type Density } from "./density";
import { Grid } from "./Grid";
import { useMonths } from "./months";
import "./Results.css";
import { Scrubber } from "./Scrubber";
import { useFocusAfter } from "./useFocusAfter";
import { useMedia } from "./useMedia";

const SKELETON = [
  [1.5, 1, 1.5, 0.75, 1.33],
  [1.5, 1, 1.78, 0.75, 1.5],
  [1.33, 1, 1.5, 1.78],
  [1, 1.5, 0.75, 1.5, 1.33],
];
const AHEAD = "4000px"; // how far below the window the next photos are asked for

function Skeleton() {
  return (
    <div class="skeleton" aria-hidden="true">
      {SKELETON.map((ratios, row) => (
        <div key={row} class="row" style={{ height: `${rowHeight(NORMAL)}px` }}>
          {ratios.map((ratio, place) => (
            <div key={place} class="photo" style={{ flexGrow: ratio }}>
              <a />
            </div>
          ))}
        </div>
      ))}
    </div>
  );
}

const HAS_ROOM = "(min-width: 37.5rem) and (min-height: 22rem)"; // as Scrubber.css has it
const SCRUBBER_WIDTH = 36; // px beside the photos
const NO_PHOTOS: Photo[] = [];

/** Asks for more whenever it comes near the window. */
function MoreToCome({ after, onNear }: { after: Photo[]; onNear: () => void }) {
  const line = useRef<HTMLParagraphElement>(null);
  const near = useRef(onNear);
  near.current = onNear;

  // Anew after more photos: it may still be near.
  useEffect(() => {
    const observer = new IntersectionObserver(
      (entries) => entries.at(-1)!.isIntersecting && near.current(), // the last is how it is now
      { rootMargin: AHEAD },
    );
    observer.observe(line.current!);
    return () => observer.disconnect();
  }, [after]);

  return (
    <p ref={line} class="below to-come">
      {texts.loadingMore}
    </p>
  );
}

type Props = {
  state: SearchState;
  query: Query;
  status: Status | null;
  onQuery: (query: Query) => void;
  onOpen: (filename: string) => void;
  onLike: (filename: string) => void;
  onMore: () => void;
  /** Ask for something else; `stay`: at the same place on the page. */
  onAsk: (query: Query, stay?: boolean) => void;
  onTryAgain: () => void;
  density: Density;
  recovered: number;
};

export function Results({
  state,
  query,
  status,
  onQuery,
  onOpen,
  onLike,
  onMore,
  onAsk,
  onTryAgain,
  density,
  recovered,
}: Props) {
  const isLarge = useMedia(HAS_ROOM);
  const months = useMonths(query, state.kind === "found" ? state.photos : NO_PHOTOS);
  const moveFocus = useFocusAfter(state);
  const busy = state.kind === "loading";
  // While the next answer is under way the previous one stays, dimmed, so that nothing jumps.
  const shown = state.kind === "loading" ? state.previous : state;

  if (!shown) return <Skeleton />;
  if (shown.kind === "failed") {
    const withoutPhoto = () => onQuery({ ...query, image: "" });
    return (
      <Failed
        failure={shown}
        status={status}
        busy={busy}
        onTryAgain={onTryAgain}
        onWithoutPhoto={withoutPhoto}
      />
    );
  }
  if (shown.photos.length === 0 && !busy) {
    if (query.duplicates)
      return (
        <Notice icon="similar" title={texts.noDuplicates}>
          <p>{texts.noDuplicatesMean}</p>
        </Notice>
      );
    const isAll = !countFilters(query) && !query.at && !hasPhotos(query);
    if (isAll) return <Empty status={status} />;
    return <NothingFound overview={shown.overview} query={query} onQuery={onQuery} />;
  }
  const { duplicates } = query;
  const byTime = !duplicates && (!isScored(query) || query.sort !== "score");
  const inOrder = query.sort === "oldest" ? [...months].reverse() : months;
  // Its place is kept before it is known whether there is anything to go to.
  const mayScrub = isLarge && !isScored(query) && !duplicates;
  const goToMonth = (month: string) =>
    onQuery({ ...query, at: month === inOrder[0]!.month ? "" : month });
  const earlier = inOrder[inOrder.findIndex(({ month }) => month === query.at) - 1];
  return (
    <div class={busy ? "results busy" : "results"}>
      {query.at && earlier && (
        <p class="above">
          <button class="plain" onClick={() => goToMonth(earlier.month)}>
            ↑ {formatMonth(earlier.month)}
          </button>
        </p>
      )}
      <Grid
        photos={shown.photos}
        query={query}
        byTime={byTime}
        counts={new Map(months.map(({ month, photos }) => [month, photos]))}
        isComplete={duplicates || !shown.more || shown.truncated}
        density={density}
        margin={mayScrub ? SCRUBBER_WIDTH : 0}
        recovered={recovered}
        onOpen={onOpen}
        onLike={(filename) => (moveFocus("first"), onLike(filename))}
        onAsk={(next) => (moveFocus("first"), onAsk(next))}
      />
      {mayScrub && inOrder.length > 1 && <Scrubber months={inOrder} onMonth={goToMonth} />}
      {!busy && shown.truncated && (
        <div class="below">
          <p>{texts.weakerHidden}</p>
          <button class="plain" onClick={() => (moveFocus("new"), onAsk({ ...query, showAll: true }, true))}>
            {texts.showAll}
          </button>
        </div>
      )}
      {!busy && shown.more && !shown.truncated && shown.nextPage === "failed" && (
        <div class="below" role="alert">
          <p>{texts.nextFailed}</p>
          <button class="plain" onClick={onMore}>
            {texts.tryAgain}
          </button>
        </div>
      )}
      {!busy && shown.more && !shown.truncated && shown.nextPage !== "failed" && (
        // Another one each time: this one goes, and is not pushed down.
        <MoreToCome key={shown.photos.length} after={shown.photos} onNear={onMore} />
      )}
    </div>
  );
}
