import { useEffect, useRef } from "preact/hooks";
import type { Photo } from "../api";
import { NothingFound } from "../box/NothingFound";
import { Empty, Failed } from "../status/Notices";
import type { Status } from "../status/serverStatus";
import { texts } from "../texts";
import { countFilters, type Query } from "../urlState";
import type { SearchState } from "../useSearch";
import { Grid } from "./Grid";
import "./Results.css";

const SKELETON = [1.5, 1, 1.5, 0.75, 1.33, 1.5, 1, 1.78, 0.75, 1.5, 1.33, 1, 1.5, 1.78, 0.75, 1];
const AHEAD = "1500px"; // how far below the window the next photos are asked for

function Skeleton() {
  return (
    <ul class="photos skeleton" aria-hidden="true">
      {SKELETON.map((ratio, index) => (
        <li key={index} class="photo" style={{ "--ratio": ratio }}>
          <a />
        </li>
      ))}
    </ul>
  );
}

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
    <p ref={line} class="below">
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
  onShowAll: () => void;
  onTryAgain: () => void;
};

export function Results({
  state,
  query,
  status,
  onQuery,
  onOpen,
  onLike,
  onMore,
  onShowAll,
  onTryAgain,
}: Props) {
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
    if (countFilters(query) === 0) return <Empty status={status} />;
    return <NothingFound overview={shown.overview} query={query} onQuery={onQuery} />;
  }
  return (
    <div class={busy ? "results busy" : "results"}>
      <Grid photos={shown.photos} query={query} onOpen={onOpen} onLike={onLike} />
      {!busy && shown.truncated && (
        <div class="below">
          <p>{texts.weakerHidden}</p>
          <button class="plain" onClick={onShowAll}>
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
        <MoreToCome after={shown.photos} onNear={onMore} />
      )}
    </div>
  );
}
