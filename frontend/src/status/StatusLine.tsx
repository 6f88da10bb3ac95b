import { useState } from "preact/hooks";
import { fileCount, formatNumber, formatTimeToGo, photoCount } from "../format";
import { texts } from "../texts";
import { ALL_SKIPPED_URL, retrySkipped, type Status } from "./serverStatus";
import "./StatusLine.css";

const DAMAGED_NAMED = 5;

/** How far the index is, and then one quiet line about it. */
export function StatusLine({ status }: { status: Status | null }) {
  return (
    <footer>
      {!status ? (
        <p>{texts.waitingForServer}</p>
      ) : status.state === "indexing" && status.waiting > 0 ? (
        <Progress {...status} />
      ) : (
        <p>
          {photoCount(status.indexed)} · {status.model}
        </p>
      )}
      {status && labelOf(status) && <LeftOut {...status} />}
      {status?.notices.map((notice) => (
        <p key={notice} class="notice">
          {notice}
        </p>
      ))}
      {status?.last_error && <p class="trouble">{status.last_error}</p>}
    </footer>
  );
}

function Progress({ indexed, photos: total, seconds_to_go }: Status) {
  const text = texts.indexedOf(formatNumber(indexed), photoCount(total));
  return (
    <>
      <progress value={indexed} max={total} aria-label={texts.photosIndexed} />
      <p>
        {text}
        {seconds_to_go !== null && `, ${formatTimeToGo(seconds_to_go)}`}
      </p>
    </>
  );
}

/** What there is to tell beside the photos that are indexed whole; empty if there is nothing. */
function labelOf({ skipped, not_read, damaged }: Status) {
  const leftOut = skipped + sum(not_read);
  return [
    leftOut > 0 && texts.couldNotBeRead(fileCount(leftOut)),
    damaged > 0 && texts.damagedCount(formatNumber(damaged)),
  ]
    .filter(Boolean)
    .join(", ");
}

function LeftOut(status: Status) {
  const { skipped, skipped_photos } = status;
  const others = skipped - skipped_photos.length;
  return (
    <>
      <span aria-hidden="true">·</span>
      <button popovertarget="left-out">{labelOf(status)}</button>
      <div id="left-out" popover="auto" class="popover" role="dialog" aria-label={texts.photosLeftOut}>
        <h2>{texts.leftOut}</h2>
        {skipped > 0 && (
          <ul role="list" tabIndex={0} aria-label={texts.photosLeftOut}>
            {skipped_photos.map(({ filename, reason }) => (
              <li key={filename}>
                <b>{filename}</b>
                {reason}
              </li>
            ))}
          </ul>
        )}
        {others > 0 && (
          <p>
            <a href={ALL_SKIPPED_URL}>{texts.andMore(photoCount(others))}</a>
          </p>
        )}
        <Remarks {...status} />
        {skipped > 0 && <TryAgain />}
      </div>
    </>
  );
}

function Remarks({ not_read, raw_beside, damaged, damaged_photos }: Status) {
  const unread = sum(not_read);
  const kinds = Object.entries(not_read).map(([ending, count]) => `${formatNumber(count)} ${ending}`);
  const named = damaged_photos.slice(0, DAMAGED_NAMED).join(", ");
  const more = damaged > DAMAGED_NAMED ? ", …" : "";
  return (
    <>
      {unread > 0 && <p>{texts.kindsNotRead(fileCount(unread), kinds.join(", "))}</p>}
      {raw_beside > 0 && <p>{texts.rawBeside(formatNumber(raw_beside), raw_beside)}</p>}
      {damaged > 0 && <p>{texts.damagedAre(photoCount(damaged), damaged, named + more)}</p>}
    </>
  );
}

const sum = (counts: Record<string, number>) => Object.values(counts).reduce((a, b) => a + b, 0);

/** Has them looked at again: a mended disk, or more memory, may make them readable. */
function TryAgain() {
  const [answer, setAnswer] = useState("");
  const ask = async () => {
    const asked = await retrySkipped();
    setAnswer(asked ? texts.lookedAtAgain : `${texts.serverAway}.`);
  };
  return (
    <p class="retry">
      <button class="chip" onClick={ask}>
        {texts.tryThemAgain}
      </button>
      <span role="status">{answer}</span>
    </p>
  );
}
