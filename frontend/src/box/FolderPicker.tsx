import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Folder } from "../api";
import { texts } from "../texts";
import { above, folderNamed, rowsOf } from "./folders";
import { FolderTree } from "./FolderTree";

type Props = { folders: Folder[] | null; initial: string };

/** A folder, by typing a part of its name or from the tree; none that is not there. */
export function FolderPicker({ folders, initial }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(initial);
  const [typing, setTyping] = useState(false);
  const [open, setOpen] = useState(() => new Set(above(initial)));
  const known = folders ?? [];
  // As long as they are not known, what is typed is taken as it is.
  const exact = folders ? folderNamed(known, text) : text.trim();
  // What is typed is looked for; of what is chosen its place in the tree is shown.
  const rows = rowsOf(known, open, typing ? text : "");
  const isText = text.trim() !== "";
  const named = exact ?? (isText && rows.length === 1 ? rows[0]!.folder : null);
  const isUnknown = isText && named === null;
  const wrong =
    isUnknown && (rows.length > 0 ? texts.chooseFolder : texts.noSuchFolder(text.trim()));

  useLayoutEffect(() => input.current!.setCustomValidity(wrong || ""), [wrong]);

  // What is named is unfolded as far as it is seen.
  useEffect(() => {
    if (exact) setOpen((last) => new Set([...last, ...above(exact)]));
  }, [exact]);

  function unfold(folder: string, isOpen: boolean) {
    const next = new Set(open);
    if (isOpen) next.add(folder);
    else next.delete(folder);
    setOpen(next);
  }

  function choose(folder: string) {
    setText(folder);
    setTyping(false);
  }

  function key(event: KeyboardEvent) {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    document.querySelector<HTMLElement>('#filters [role="treeitem"][tabindex="0"]')?.focus();
  }

  return (
    <div class="folder">
      <label>
        {texts.folder}
        <input
          ref={input}
          type="text"
          placeholder={texts.anyFolder}
          autocomplete="off"
          value={text}
          aria-invalid={isUnknown && rows.length === 0}
          onInput={({ currentTarget }) => (setText(currentTarget.value), setTyping(true))}
          onKeyDown={key}
        />
      </label>
      <input type="hidden" name="folder" value={named ?? ""} />
      {rows.length > 0 && (
        <FolderTree rows={rows} chosen={named ?? ""} onChoose={choose} onUnfold={unfold} />
      )}
      {wrong && rows.length === 0 && (
        <p class="wrong" role="alert">
          {wrong}
        </p>
      )}
    </div>
  );
}
