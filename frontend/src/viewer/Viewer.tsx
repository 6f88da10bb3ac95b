import { useRef, useState } from "preact/hooks";
import type { Query, UrlState } from "../urlState";
import type { SearchState } from "../useSearch";
import { OpenPhoto } from "./OpenPhoto";
import { usePreload } from "./useStage";

export type ViewerProps = {
  url: UrlState;
  state: SearchState;
  /** Of the index: another one after each change. */
  version: string | null;
  onMore: () => void;
  onTurn: (filename: string) => void;
  onClose: () => void;
  onAsk: (asked: Partial<Query>) => void;
};

/** `isGone`: it has flown back, maybe before the address says that it was closed. */
type Visit = { id: number; filename: string; key: string; isOpen: boolean; isGone: boolean };

/** The open photo, if there is one; one that was closed stays while it flies into its tile. */
export function Viewer(props: ViewerProps) {
  const { open, key } = props.url;
  const last = useRef<Visit | null>(null);
  const visits = useRef(0);
  const [, drawAgain] = useState(0);
  usePreload();

  const before = last.current;
  if (open && !(before?.isGone && before.filename === open && before.key === key)) {
    const id = before?.isOpen && !before.isGone ? before.id : ++visits.current;
    last.current = { id, filename: open, key, isOpen: true, isGone: false };
  } else if (!open && before?.key === key && !before.isGone) {
    last.current = { ...before, isOpen: false };
  } else if (!open) last.current = null; // with another query there is nothing to fly back to

  if (!last.current || last.current.isGone) return null;
  const { id, filename, isOpen } = last.current;
  const clearAway = () => {
    last.current &&= { ...last.current, isGone: true };
    drawAgain((number) => number + 1);
  };
  return (
    <OpenPhoto key={id} {...props} filename={filename} isOpen={isOpen} onGone={clearAway} />
  );
}
