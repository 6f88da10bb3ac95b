import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { photoUrl, type Answer, type Photo } from "./api";
import type { SearchState } from "./useSearch";

type Failed = Extract<Answer, { kind: "failed" }>;

const SKELETON_RATIOS = [1.5, 1, 1.5, 0.75, 1.33, 1.5, 1, 1.78, 0.75, 1.5, 1.33, 1];
const DEFAULT_RATIO = 1.5;

const EMPTY_ICON = "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9h.01";

const FAILURES: Record<Failed["reason"], { title: string; icon: string }> = {
  unreachable: {
    title: "The server cannot be reached",
    icon: "M5 12.5a10 10 0 0 1 5-2.7M2 9a15 15 0 0 1 6-3.4M12 5a15 15 0 0 1 10 4M15.5 10.5A10 10 0 0 1 19 12.5M9 16a5 5 0 0 1 6 0M12 20h.01M4 3l16 18",
  },
  "not ready": {
    title: "Not ready yet",
    icon: "M6 3h12M6 21h12M7 3v3c0 3 5 4 5 6s-5 3-5 6v3M17 3v3c0 3-5 4-5 6s5 3 5 6v3",
  },
  refused: {
    title: "This search did not work",
    icon: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18zM12 8v4.5M12 16h.01",
  },
};

function PhotoCard({ photo: { filename, score } }: { photo: Photo }) {
  // Known once the photo is loaded. The style sheet makes the rows from it.
  const [ratio, setRatio] = useState<number>();
  const name = filename.slice(filename.lastIndexOf("/") + 1);
  const url = photoUrl(filename);

  return (
    <li class={ratio ? "photo" : "photo waiting"} style={{ "--ratio": ratio }}>
      <figure title={filename}>
        <a class="tile" href={url} target="_blank" rel="noopener">
          <img
            src={url}
            alt={name}
            loading="lazy"
            decoding="async"
            onLoad={({ currentTarget: image }) => setRatio(image.naturalWidth / image.naturalHeight)}
            onError={() => setRatio(DEFAULT_RATIO)}
          />
        </a>
        <figcaption>
          <span class="name">{name}</span>
          <span class="score">
            <span class="unseen">score </span>
            {score.toFixed(3)}
          </span>
        </figcaption>
      </figure>
    </li>
  );
}

function Skeleton() {
  return (
    <ul class="photos skeleton" aria-hidden="true">
      {SKELETON_RATIOS.map((ratio, index) => (
        <li key={index} class="photo waiting" style={{ "--ratio": ratio }}>
          <figure>
            <div class="tile" />
            <figcaption>&nbsp;</figcaption>
          </figure>
        </li>
      ))}
    </ul>
  );
}

type NoticeProps = { icon: string; title: string; children: ComponentChildren };

function Notice({ icon, title, children }: NoticeProps) {
  return (
    <div class="notice">
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d={icon} />
      </svg>
      <h2>{title}</h2>
      {children}
    </div>
  );
}

function EmptyIndex() {
  return (
    <Notice icon={EMPTY_ICON} title="The index is empty">
      <p>Put photos into the image folder; they appear here within seconds.</p>
    </Notice>
  );
}

type FailureProps = { failed: Failed; busy: boolean; onTryAgain: () => void };

function Failure({ failed, busy, onTryAgain }: FailureProps) {
  return (
    <div role="alert">
      <Notice {...FAILURES[failed.reason]}>
        <p>{failed.message}</p>
        {failed.reason === "not ready" ? (
          <p class="retrying">Trying again every 2 seconds</p>
        ) : (
          <button onClick={onTryAgain}>{busy ? "Trying again…" : "Try again"}</button>
        )}
      </Notice>
    </div>
  );
}

type Props = { state: Exclude<SearchState, { kind: "idle" }>; onTryAgain: () => void };

export function Results({ state, onTryAgain }: Props) {
  const busy = state.kind === "loading";
  // While the next answer is under way the previous one stays, dimmed, so that nothing jumps.
  const answer = state.kind === "loading" ? state.previous : state;

  if (!answer) return <Skeleton />;
  return (
    <div class={busy ? "results busy" : "results"}>
      {answer.kind === "failed" ? (
        <Failure failed={answer} busy={busy} onTryAgain={onTryAgain} />
      ) : answer.photos.length === 0 ? (
        <EmptyIndex />
      ) : (
        <ul class="photos" role="list">
          {answer.photos.map((photo) => (
            <PhotoCard key={photo.filename} photo={photo} />
          ))}
        </ul>
      )}
    </div>
  );
}
