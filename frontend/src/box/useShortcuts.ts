import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

const isTyping = (target: EventTarget | null) =>
  target instanceof Element && target.closest("input, textarea, select, dialog") !== null;

/**
 * `/`, Ctrl+K and Cmd+K lead to the box. `known`: that the visitor has done something: the focus
 * that the box has from the start opens nothing. The page's root says whether that was by a key,
 * so that the box has a strong ring for those who go by keys alone.
 */
export function useShortcuts(
  box: RefObject<HTMLInputElement | null>,
  known: { current: boolean },
  onBox: () => void,
): void {
  const tell = useRef(onBox);
  tell.current = onBox;

  useEffect(() => {
    const root = document.documentElement.dataset;
    function key(event: KeyboardEvent) {
      known.current = true;
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
      known.current = true;
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
