import type { ComponentChildren } from "preact";
import type { Failure, Status } from "./api";
import { Icon, type IconName } from "./Icon";
import "./Notices.css";

const FAILURES: Record<Failure["reason"], { title: string; icon: IconName }> = {
  unreachable: { title: "The server cannot be reached", icon: "offline" },
  "not ready": { title: "Not ready yet", icon: "wait" },
  unreadable: { title: "This photo cannot be used", icon: "photo" },
  "not here": { title: "Your photo is not on this device", icon: "photo" },
  refused: { title: "This search did not work", icon: "trouble" },
};

type NoticeProps = { icon: IconName; title: string; children: ComponentChildren };

function Notice({ icon, title, children }: NoticeProps) {
  return (
    <div class="notice">
      <Icon name={icon} />
      <h2>{title}</h2>
      {children}
    </div>
  );
}

type FailedProps = {
  failure: Failure;
  busy: boolean;
  onTryAgain: () => void;
  onWithoutPhoto: () => void;
};

export function Failed({ failure, busy, onTryAgain, onWithoutPhoto }: FailedProps) {
  const { reason, message } = failure;
  return (
    <div role="alert">
      <Notice {...FAILURES[reason]}>
        <p>{message}</p>
        {reason === "not ready" ? (
          <p class="retrying">This page goes on by itself</p>
        ) : reason === "unreadable" || reason === "not here" ? (
          <button class="strong" onClick={onWithoutPhoto}>
            Search without it
          </button>
        ) : (
          <button class="strong" onClick={onTryAgain}>
            {busy ? "Trying again…" : "Try again"}
          </button>
        )}
      </Notice>
    </div>
  );
}

export function NoMatch({ onClear }: { onClear: () => void }) {
  return (
    <Notice icon="filters" title="Nothing found with these filters">
      <p>No photo meets all of them.</p>
      <button class="strong" onClick={onClear}>
        Clear the filters
      </button>
    </Notice>
  );
}

export function Empty({ status }: { status: Status | null }) {
  if (status?.state === "indexing" && status.waiting > 0) {
    return (
      <Notice icon="wait" title="Looking at your photos">
        <p>The first ones appear here in a moment.</p>
      </Notice>
    );
  }
  return (
    <Notice icon="photo" title="No photos yet">
      <p>Put photos into the image folder; they appear here within seconds.</p>
    </Notice>
  );
}
