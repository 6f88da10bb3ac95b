import { useRef, useState } from "preact/hooks";
import { formatNumber } from "../format";
import { Icon } from "../Icon";
import { texts } from "../texts";
import "./FolderTree.css";
import { MOST_ROWS, type Row } from "./folders";

type Props = {
  rows: Row[];
  chosen: string;
  onChoose: (folder: string) => void;
  onUnfold: (folder: string, isOpen: boolean) => void;
};

/** Folders with counts. One stop for the Tab key; arrows go along it, and unfold and fold it. */
export function FolderTree({ rows, chosen, onChoose, onUnfold }: Props) {
  const [current, setCurrent] = useState("");
  const tree = useRef<HTMLUListElement>(null);
  const shown = rows.slice(0, MOST_ROWS);
  const stop = [current, chosen].find((one) => shown.some(({ folder }) => folder === one));

  function focusOn(index: number) {
    const item = tree.current!.children[index] as HTMLElement | undefined;
    item?.focus();
  }

  function key(event: KeyboardEvent, { folder, isOpen, level }: Row, index: number) {
    const parent = shown.findLastIndex((row, place) => place < index && row.level < level);
    if (event.key === "ArrowDown") focusOn(index + 1);
    else if (event.key === "ArrowUp") focusOn(index - 1);
    else if (event.key === "Home") focusOn(0);
    else if (event.key === "End") focusOn(shown.length - 1);
    else if (event.key === "ArrowRight" && isOpen === false) onUnfold(folder, true);
    else if (event.key === "ArrowRight" && isOpen) focusOn(index + 1);
    else if (event.key === "ArrowLeft" && isOpen) onUnfold(folder, false);
    else if (event.key === "ArrowLeft") focusOn(parent);
    else if (event.key === "Enter" || event.key === " ") onChoose(folder);
    else return;
    event.preventDefault();
  }

  return (
    <>
      <ul ref={tree} class="tree" role="tree" aria-label={texts.folders}>
        {shown.map((row, index) => {
          const { folder, name, photos, level, isOpen } = row;
          return (
            <li
              key={folder}
              role="treeitem"
              aria-level={level}
              aria-expanded={isOpen ?? undefined}
              aria-selected={folder === chosen}
              tabIndex={folder === (stop ?? shown[0]!.folder) ? 0 : -1}
              style={{ "--level": level }}
              onFocus={() => setCurrent(folder)}
              onClick={() => onChoose(folder)}
              onKeyDown={(event) => key(event, row, index)}
            >
              <span
                class={isOpen === null ? "fold none" : "fold"}
                onClick={(event) => {
                  if (isOpen === null) return;
                  event.stopPropagation();
                  onUnfold(folder, !isOpen);
                }}
              >
                <Icon name="next" />
              </span>
              <span class="text">{name}</span>
              <span class="count">{formatNumber(photos)}</span>
            </li>
          );
        })}
      </ul>
      {rows.length > shown.length && (
        <p class="more">{texts.moreFolders(formatNumber(rows.length - shown.length))}</p>
      )}
    </>
  );
}
