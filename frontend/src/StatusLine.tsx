import { useState } from "preact/hooks";
import { ALL_SKIPPED_URL, retrySkipped, type Status } from "./api";
import { formatCount, formatNumber, formatTimeToGo, photoCount } from "./format";
import "./StatusLine.css";

const DAMAGED_NAMED = 5;

/** How far the index is, and then one quiet line about it. */
export function StatusLine({ status }: { status: Status | null }) {
  return (
    <footer>
      {!status ? (
        <p>Waiting for the server…</p>
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
  const text = `${formatNumber(indexed)} of ${photoCount(total)} indexed`;
  return (
    <>
      <progress value={indexed} max={total} aria-label="Photos indexed" />
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
    leftOut > 0 && `${formatNumber(leftOut)} left out`,
    damaged > 0 && `${formatNumber(damaged)} damaged`,
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
      <div id="left-out" popover="auto" class="popover" role="dialog" aria-label="Photos left out">
        <h2>Left out</h2>
        {skipped > 0 && (
          <ul role="list" tabIndex={0} aria-label="Photos left out">
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
            <a href={ALL_SKIPPED_URL}>and {photoCount(others)} more</a>
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
      {unread > 0 && (
        <p>
          {formatCount(unread, "file")} of kinds that are not read: {kinds.join(", ")}.
        </p>
      )}
      {raw_beside > 0 && (
        <p>{formatCount(raw_beside, "RAW file")} beside a JPEG or HEIC, which is shown.</p>
      )}
      {damaged > 0 && (
        <p>
          {photoCount(damaged)} {damaged === 1 ? "is" : "are"} damaged, and shown as far as they can
          be read: {named}
          {more}
        </p>
      )}
    </>
  );
}

const sum = (counts: Record<string, number>) => Object.values(counts).reduce((a, b) => a + b, 0);

/** Has them looked at again: a mended disk, or more memory, may make them readable. */
function TryAgain() {
  const [answer, setAnswer] = useState("");
  const ask = async () => {
    const asked = await retrySkipped();
    setAnswer(asked ? "They will be looked at again." : "The server cannot be reached.");
  };
  return (
    <p class="retry">
      <button class="chip" onClick={ask}>
        Try them again
      </button>
      <span role="status">{answer}</span>
    </p>
  );
}
