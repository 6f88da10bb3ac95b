import { useState } from "preact/hooks";
import { formatNumber, nameOf } from "../format";
import { Icon, type IconName } from "../Icon";
import { texts } from "../texts";
import "./SelectionBar.css";
import type { Selection } from "./useSelection";
import { saveAsZip } from "./zip";

const ARCHIVE = "photos.zip";
const NAMES_SHOWN = 3;

type Props = {
  selection: Selection;
  onLike: (filename: string) => void;
};

/** What can be done with the photos that are selected. */
export function SelectionBar({ selection, onLike }: Props) {
  const { photos, clear } = selection;
  const [done, setDone] = useState<number | null>(null); // of a download that is under way
  const [said, setSaid] = useState("");
  const count = formatNumber(photos.length);

  async function download() {
    setSaid("");
    setDone(0);
    const failed = await saveAsZip(photos, ARCHIVE, setDone);
    setDone(null);
    const names = failed.slice(0, NAMES_SHOWN).map(nameOf).join(", ");
    const more = failed.length > NAMES_SHOWN ? ", …" : "";
    setSaid(
      failed.length
        ? texts.notDownloaded(formatNumber(failed.length), failed.length, names + more)
        : "",
    );
  }

  async function copyPaths() {
    const paths = photos.map(({ filename }) => filename).join("\n");
    const copied = await navigator.clipboard?.writeText(paths).then(
      () => true,
      () => false,
    );
    setSaid(copied ? texts.pathsCopied(count, photos.length) : texts.cannotCopy);
  }

  const action = (icon: IconName, label: string, act: () => void, disabled = false) => (
    <button class="act" onClick={act} disabled={disabled} title={label}>
      <Icon name={icon} />
      <span>{label}</span>
    </button>
  );
  const isBusy = done !== null;
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
        {isBusy
          ? texts.downloading(formatNumber(done), count)
          : said || texts.selected(count, photos.length)}
      </p>
      {action("download", texts.download, download, isBusy)}
      {action("copy", texts.copyPaths, copyPaths)}
      {photos.length === 1 &&
        action("similar", texts.moreLikeThis, () => onLike(photos[0]!.filename))}
    </div>
  );
}
