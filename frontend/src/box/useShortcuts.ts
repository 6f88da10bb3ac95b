import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

const isTyping = (target: EventTarget | null) =>
  target instanceof Element && target.closest("input, textarea, select, dialog") !== null;

/**
 * `/`, Ctrl+K and Cmd+K lead to the box. `lastKey` is kept, so that it is known how the focus came.
 * The page's root says whether it goes by keys, who then need a strong ring.
 */
export function useShortcuts(
  box: RefObject<HTMLInputElement | null>,
  lastKey: { current: string },
  onBox: () => void,
): void {
  const tell = useRef(onBox);
  tell.current = onBox;

  useEffect(() => {
    const root = document.documentElement.dataset;
    function key(event: KeyboardEvent) {
      lastKey.current = event.key;
      if (event.key === "Tab") root.keys = "";
      const { ctrlKey, metaKey, altKey, target } = event;
      const isSlash = event.key === "/" && !ctrlKey && !metaKey && !isTyping(target);
      const isK = event.key.toLowerCase() === "k" && (ctrlKey || metaKey) && !altKey;
      const inDialog = document.querySelector("dialog[open]") !== null;
      if (!isSlash && !(isK && !inDialog)) return;
      event.preventDefault();
      root.keys = "";
      box.current!.focus();
      box.current!.select();
      tell.current(); // it may have had the focus already
    }
    function point() {
      lastKey.current = "";
      delete root.keys;
    }
    addEventListener("keydown", key, true);
    addEventListener("pointerdown", point, true);
    return () => {
      removeEventListener("keydown", key, true);
      removeEventListener("pointerdown", point, true);
    };
  }, []);
}
