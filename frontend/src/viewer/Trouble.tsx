import { Icon } from "../Icon";
import { texts } from "../texts";
import type { Problem } from "./photoRecord";

type Props = {
  problem: Problem | null;
  /** Whether the index had this photo before. */
  wasKnown: boolean;
  /** Whether its picture is there all the same: then a line at its edge is enough. */
  isShown: boolean;
};

function sentence({ kind, message }: Problem, wasKnown: boolean): string {
  if (kind === "gone") return wasKnown ? texts.photoDeleted : texts.noSuchPhoto;
  if (kind === "away") return texts.photoAway;
  return kind === "waiting" ? texts.photoWaits(message) : texts.photoBroken(message);
}

/** What is wrong with the open photo, as far as it is known. */
export function Trouble({ problem, wasKnown, isShown }: Props) {
  if (!problem || (isShown && problem.kind !== "gone")) return null;
  return (
    <p class={isShown ? "trouble small" : "trouble"} role="alert">
      <Icon name={problem.kind === "away" ? "offline" : "trouble"} />
      {sentence(problem, wasKnown)}
    </p>
  );
}
