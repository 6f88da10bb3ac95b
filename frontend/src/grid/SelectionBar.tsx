import { useState } from "preact/hooks";
import { formatNumber, photoCount } from "../format";
import { Icon, type IconName } from "../Icon";
import { texts } from "../texts";
import { EMPTY_QUERY, type Query } from "../urlState";
import "./SelectionBar.css";
import type { Selection } from "./useSelection";
import { downloadZip } from "./zip";

// As many as the server takes.
const MOST_NAMED = 50;
const MOST_PACKED = 1000;

type Props = {
  selection: Selection;
  query: Query;
  onAsk: (query: Query) => void;
};

/** What can be done with the photos that are selected. */
export function SelectionBar({ selection, query, onAsk }: Props) {
  const { photos, clear } = selection;
  const [isBusy, setBusy] = useState(false);
  const [said, setSaid] = useState({ text: "", of: 0 });
  const count = formatNumber(photos.length);
  const names = photos.map(({ filename }) => filename);
  const isOne = photos.length === 1;
  const say = (text: string) => setSaid({ text, of: photos.length });

  /** Say so if these are more than there may be. */
  function areTooMany(most: number, all = names): boolean {
    say(all.length > most ? texts.atMostPhotos(photoCount(most)) : "");
    return all.length > most;
  }

  async function download() {
    if (areTooMany(MOST_PACKED)) return;
    setBusy(true);
    say(await downloadZip(names));
    setBusy(false);
  }

  async function copyPaths() {
    const copied = await navigator.clipboard?.writeText(names.join("\n")).then(
      () => true,
      () => false,
    );
    say(copied ? texts.pathsCopied(count, photos.length) : texts.cannotCopy);
  }

  function ask(next: Query) {
    clear();
    onAsk(next);
  }

  /** A new question, of all photos, as it is of a single one. */
  function findLike() {
    if (!areTooMany(MOST_NAMED)) ask({ ...EMPTY_QUERY, like: names });
  }

  function exclude() {
    const unlike = [...new Set([...query.unlike, ...names])];
    if (!areTooMany(MOST_NAMED, unlike)) ask({ ...query, unlike });
  }

  const action = (icon: IconName, label: string, act: () => void, disabled = false) => (
    <button class="act" onClick={act} disabled={disabled} title={label}>
      <Icon name={icon} />
      <span>{label}</span>
    </button>
  );
  return (
    <div
      class="selection"
      role="region"
      aria-label={texts.selection}
      onKeyDown={({ key }) => key === "Escape" && clear()}
    >
      <button class="round" aria-label={texts.clearSelection} title={texts.clearSelection} onClick={clear}>
        <Icon name="close" />
      </button>
      <p aria-live="polite">
        {/* Of other photos it says nothing. */}
        {(said.of === photos.length && said.text) || texts.selected(count, photos.length)}
      </p>
      {action("download", texts.download, download, isBusy)}
      {action("copy", texts.copyPaths, copyPaths)}
      {action("similar", isOne ? texts.moreLikeThis : texts.moreLikeThese, findLike)}
      {!query.duplicates &&
        action("without", isOne ? texts.excludeThis : texts.excludeThese, exclude)}
    </div>
  );
}
