import { useState } from "preact/hooks";
import { retrySkipped, type Status } from "./api";
import { formatNumber, formatTimeToGo, photoCount } from "./format";
import "./StatusLine.css";

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
      {status && status.skipped > 0 && <LeftOut {...status} />}
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

function LeftOut({ skipped, skipped_photos }: Status) {
  const others = skipped - skipped_photos.length;
  return (
    <>
      <span aria-hidden="true">·</span>
      <button popovertarget="left-out">{formatNumber(skipped)} left out</button>
      <div id="left-out" popover="auto" class="popover" role="dialog" aria-label="Photos left out">
        <h2>Left out</h2>
        <ul role="list" tabIndex={0} aria-label="Photos left out">
          {skipped_photos.map(({ filename, reason }) => (
            <li key={filename}>
              <b>{filename}</b>
              {reason}
            </li>
          ))}
        </ul>
        {others > 0 && <p>and {photoCount(others)} more</p>}
        <TryAgain />
      </div>
    </>
  );
}

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
