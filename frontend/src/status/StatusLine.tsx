import { useRef } from "preact/hooks";
import { formatTimeToGo, indexedSoFar, photoCount, readSoFar } from "../format";
import { texts } from "../texts";
import { ABOUT, leftOutLabel } from "./About";
import type { Status } from "./serverStatus";
import "./StatusLine.css";

type Props = {
  status: Status | null;
  /** Whether no photos are to come above it, which would push it down. */
  isEnd: boolean;
};

/** One quiet line below the photos; it stays in sight while there is something to tell. */
export function StatusLine({ status, isEnd }: Props) {
  const wasThere = useRef(false);
  wasThere.current ||= status !== null;

  const isIndexing = status?.state === "indexing" && status.waiting > 0;
  // Not before the first word: it would leave its place again at once.
  const isAway = !status && wasThere.current;
  const { words } = status ?? {};
  const isReading = words && words.read < words.photos;
  const isNews = isAway || isIndexing || isReading || words?.trouble || status?.last_error || status?.notices.length;
  if (!isNews && !isEnd) return null;
  const leftOut = status && leftOutLabel(status);
  return (
    <footer class={isNews ? "stays" : ""}>
      {!status && <p>{isAway ? texts.serverIsAway : texts.waitingForServer}</p>}
      {status && (isIndexing ? <Progress {...status} /> : <p>{photoCount(status.indexed)}</p>)}
      {isReading && (
        <>
          {!isIndexing && (
            <progress value={words.read} max={words.photos} aria-label={texts.wordsRead} />
          )}
          <span aria-hidden="true">·</span>
          <p>{readSoFar(words)}</p>
        </>
      )}
      {leftOut && (
        <>
          <span aria-hidden="true">·</span>
          <button popovertarget={ABOUT}>{leftOut}</button>
        </>
      )}
      {status?.notices.map((notice) => (
        <p key={notice} class="remark">
          {notice}
        </p>
      ))}
      {words?.trouble && <p class="remark">{words.trouble}</p>}
      {status?.last_error && <p class="remark">{status.last_error}</p>}
    </footer>
  );
}

function Progress(status: Status) {
  const { indexed, photos: total, seconds_to_go } = status;
  return (
    <>
      <progress value={indexed} max={total} aria-label={texts.photosIndexed} />
      <p>
        {indexedSoFar(status)}
        {seconds_to_go !== null && `, ${formatTimeToGo(seconds_to_go)}`}
      </p>
    </>
  );
}
