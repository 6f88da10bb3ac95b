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

/** `isLeft`: it was closed, which the address does not say yet. `isGone`: it has flown back. */
type Visit = {
  id: number;
  filename: string;
  key: string;
  isOpen: boolean;
  isLeft: boolean;
  isGone: boolean;
};

/** The open photo, if there is one; one that was closed stays while it flies into its tile. */
export function Viewer(props: ViewerProps) {
  const { open, key } = props.url;
  const last = useRef<Visit | null>(null);
  const visits = useRef(0);
  const [, drawAgain] = useState(0);
  usePreload();

  const before = last.current;
  const isLeft = before?.isLeft && before.filename === open && before.key === key;
  if (open && !isLeft) {
    const id = before?.isOpen && !before.isLeft ? before.id : ++visits.current;
    last.current = { id, filename: open, key, isOpen: true, isLeft: false, isGone: false };
  } else if (!open && before?.key === key && !before.isGone) {
    last.current = { ...before, isOpen: false, isLeft: false };
  } else if (!open) last.current = null; // with another query there is nothing to fly back to

  if (!last.current || last.current.isGone) return null;
  const { id, filename, isOpen } = last.current;
  const close = () => {
    last.current &&= { ...last.current, isLeft: true };
    props.onClose();
  };
  const clearAway = () => {
    last.current &&= { ...last.current, isGone: true };
    drawAgain((number) => number + 1);
  };
  const photo = { filename, isOpen, onClose: close, onGone: clearAway };
  return <OpenPhoto key={id} {...props} {...photo} />;
}
