import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../Icon";
import { texts } from "../texts";
import "./Keys.css";

const { keyNames: does } = texts;

const GROUPS: [string, [string, string][]][] = [
  [
    texts.keysAnywhere,
    [
      ["/ Ctrl+K", does.search],
      ["?", does.keys],
    ],
  ],
  [
    texts.keysInGrid,
    [
      ["← → ↑ ↓", does.move],
      ["Home End", does.ends],
      ["Enter", does.open],
      ["x", does.select],
      ["Shift+← →", does.selectOn],
      ["Ctrl+A", does.selectAll],
      ["+ -", does.larger],
      ["Esc", does.back],
    ],
  ],
  [
    texts.keysInViewer,
    [
      ["← →", does.turn],
      ["Home End", does.ends],
      ["z", does.zoom],
      ["+ -", does.zoomBy],
      ["← → ↑ ↓", does.pan],
      ["i", does.details],
      ["l", texts.moreLikeThis],
      ["d", texts.download],
      ["o", texts.openOriginal],
      ["c", texts.copyPath],
      ["Shift+C", texts.copyImage],
      ["Space", does.play],
      ["f", texts.fullScreen],
      ["Esc", does.close],
    ],
  ],
];

const ID = "keys";

export function showKeys(): void {
  const dialog = document.getElementById(ID) as HTMLDialogElement | null;
  if (dialog && !dialog.open) dialog.showModal();
}

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");

/** All keys of the page, in a dialog that `?` opens wherever one is. */
export function Keys() {
  const dialog = useRef<HTMLDialogElement>(null);

  useEffect(() => {
    const listening = new AbortController();
    const open = (event: KeyboardEvent) => {
      if (event.key !== "?" || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
      event.preventDefault();
      showKeys();
    };
    document.addEventListener("keydown", open, { signal: listening.signal });
    return () => listening.abort();
  }, []);

  const close = () => dialog.current!.close();
  return (
    <dialog
      ref={dialog}
      id={ID}
      class="keys raised"
      aria-labelledby="keys-name"
      onClick={({ target, currentTarget }) => target === currentTarget && close()}
    >
      <div class="sheet">
        <h2 id="keys-name">{texts.shortcuts}</h2>
        <button class="round dismiss" aria-label={texts.close} onClick={close}>
          <Icon name="close" />
        </button>
        {GROUPS.map(([name, keys]) => (
          <section key={name}>
            <h3>{name}</h3>
            <dl>
              {keys.map(([key, what]) => (
                <div key={what}>
                  <dt>
                    {key.split(" ").map((one) => (
                      <kbd key={one}>{one}</kbd>
                    ))}
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </dialog>
  );
}
