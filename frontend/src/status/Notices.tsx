import type { ComponentChildren } from "preact";
import type { Failure } from "../api";
import { indexedSoFar } from "../format";
import { Icon, type IconName } from "../Icon";
import { texts } from "../texts";
import "./Notices.css";
import type { Status } from "./serverStatus";

/** What goes by, and how it is told. */
const FAILURES: Record<Failure["reason"], { title: string; icon: IconName }> = {
  unreachable: { title: texts.serverAway, icon: "offline" },
  "not ready": { title: texts.notReady, icon: "wait" },
  unreadable: { title: texts.photoNotUsable, icon: "photo" },
  "not here": { title: texts.photoElsewhere, icon: "photo" },
  refused: { title: texts.searchFailed, icon: "trouble" },
};

type NoticeProps = { icon: IconName; title: string; children: ComponentChildren };

export function Notice({ icon, title, children }: NoticeProps) {
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
  status: Status | null;
  busy: boolean;
  onTryAgain: () => void;
  onWithoutPhoto: () => void;
};

export function Failed({ failure, status, busy, onTryAgain, onWithoutPhoto }: FailedProps) {
  const { reason, message } = failure;
  const { title, icon } = FAILURES[reason];
  const isIndexing = reason === "not ready" && status !== null && status.waiting > 0;
  return (
    <div role="alert">
      <Notice icon={icon} title={isIndexing ? texts.gettingReady : title}>
        <p>{isIndexing ? indexedSoFar(status) : message}</p>
        {reason === "not ready" ? (
          <p class="retrying">{texts.updatesByItself}</p>
        ) : reason === "unreadable" || reason === "not here" ? (
          <button class="strong" onClick={onWithoutPhoto}>
            {texts.searchWithoutIt}
          </button>
        ) : (
          <button class="strong" onClick={onTryAgain}>
            {busy ? texts.tryingAgain : texts.tryAgain}
          </button>
        )}
      </Notice>
    </div>
  );
}

export function Empty({ status }: { status: Status | null }) {
  if (status?.state === "indexing" && status.waiting > 0) {
    return (
      <Notice icon="wait" title={texts.lookingAtPhotos}>
        <p>{texts.firstInAMoment}</p>
      </Notice>
    );
  }
  return (
    <Notice icon="photo" title={texts.noPhotosYet}>
      <p>{texts.putPhotos}</p>
    </Notice>
  );
}
