import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../Icon";
import { ROOT } from "../root";
import { texts } from "../texts";
import { hasPhotos, NO_PHOTOS, parseQuery, typedOf, type Query } from "../urlState";
import { linkIn } from "./links";
import { PhotoPicker } from "./PhotoPicker";
import { Recents, recentId } from "./Recents";
import { forgetSearch, recentSearches } from "./recents";
import "./SearchBar.css";
import { Tokens, withoutLast } from "./Tokens";
import { useShortcuts } from "./useShortcuts";

type Props = {
  query: Query;
  placeholder: string;
  onAsk: (changed: Partial<Query>) => void;
  onPhoto: (file: File) => void;
  onLink: (link: URL) => void;
};

/** All that is asked for but the filters: words, words to do without, and photos as tokens. */
export function SearchBar({ query, placeholder, onAsk, onPhoto, onLink }: Props) {
  const { q, minus } = query;
  const input = useRef<HTMLInputElement>(null);
  const said = typedOf(query);
  const hasPhoto = hasPhotos(query);
  const inBox = JSON.stringify([query.like, query.unlike, query.image]);
  const [typed, setTyped] = useState(said);
  const [adds, setAdds] = useState(false);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const [recents, setRecents] = useState<string[]>([]);

  // Not a value prop: an answer that arrives while the next query is being typed must not undo it.
  useLayoutEffect(() => {
    input.current!.value = said;
    setTyped(said);
    setAdds(false);
    setOpen(false);
  }, [said, inBox]);

  const lastKey = useRef("");
  useShortcuts(input, lastKey, show);

  const shown = recents.filter(
    (one) => one !== said && one.toLowerCase().includes(typed === said ? "" : typed.toLowerCase()),
  );
  const isOpen = open && shown.length > 0;
  const combines = adds || (hasPhoto && Boolean(q || minus.length));

  function show() {
    setRecents(recentSearches());
    setActive(-1);
    setOpen(true);
  }

  function type({ currentTarget }: { currentTarget: HTMLInputElement }) {
    setTyped(currentTarget.value);
    if (!open) show();
    setActive(-1);
  }

  function ask(text: string) {
    const link = linkIn(text);
    setOpen(false);
    // Folds away the on-screen keyboard, which would cover the photos.
    if (matchMedia("(pointer: coarse)").matches) input.current!.blur();
    if (link) return onLink(link);
    const words = parseQuery(text);
    onAsk(combines ? words : { ...words, ...NO_PHOTOS });
    input.current!.value = typedOf(words); // as it was understood
    setTyped(input.current!.value);
  }

  function submit(event: SubmitEvent) {
    event.preventDefault();
    // Nothing typed beside a photo asks for the photo.
    if (!typed.trim() && hasPhoto) return onAsk({ q: "", minus: [] });
    ask(isOpen && active >= 0 ? shown[active]! : typed);
  }

  function remove(without: Partial<Query>) {
    onAsk({ ...parseQuery(typed), ...without });
    input.current!.focus();
  }

  function clear() {
    input.current!.value = "";
    setTyped("");
    onAsk({ q: "", minus: [], ...NO_PHOTOS });
    input.current!.focus();
  }

  function forget(one: string) {
    forgetSearch(one);
    setRecents(recentSearches());
    setActive(-1);
  }

  function key(event: KeyboardEvent) {
    const { selectionStart, selectionEnd } = input.current!;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && isOpen && active + step < shown.length) {
      setActive(Math.max(-1, active + step));
    } else if (event.key === "ArrowDown") {
      setOpen(false);
      document.querySelector<HTMLElement>('.photos [tabindex="0"]')?.focus();
    } else if (event.key === "Escape" && isOpen) {
      setOpen(false);
    } else if (event.key === "Delete" && isOpen && active >= 0) {
      forget(shown[active]!);
    } else if (
      hasPhoto &&
      (event.key === "Backspace" || (event.key === "Delete" && !typed)) &&
      selectionStart === 0 &&
      selectionEnd === 0
    ) {
      remove(withoutLast(query));
    } else return;
    event.preventDefault();
  }

  return (
    <form
      role="search"
      class="search"
      action={ROOT}
      onSubmit={submit}
      onFocusOut={({ relatedTarget, currentTarget }) =>
        currentTarget.contains(relatedTarget as Node | null) || setOpen(false)
      }
    >
      <Tokens
        query={query}
        leaving={hasPhoto && !combines && Boolean(typed.trim())}
        alone={hasPhoto && !combines}
        onRemove={remove}
        onAdd={() => (setAdds(true), input.current!.focus())}
      />
      <label class="unseen" for="q">
        {texts.describeWhatYouWant}
      </label>
      <input
        ref={input}
        id="q"
        name="q"
        type="text"
        role="combobox"
        aria-autocomplete="list"
        aria-expanded={isOpen}
        aria-controls={isOpen ? "recents" : undefined}
        aria-activedescendant={isOpen && active >= 0 ? recentId(active) : undefined}
        aria-describedby={isOpen ? "recents-keys" : hasPhoto && !combines ? "token-hint" : undefined}
        placeholder={hasPhoto ? (combines ? texts.wordsForPhoto : texts.searchAnew) : placeholder}
        enterkeyhint="search"
        inputMode="search"
        autocomplete="off"
        autocapitalize="off"
        autofocus
        onInput={type}
        onClick={show}
        onFocus={() => lastKey.current === "Tab" && show()}
        onKeyDown={key}
      />
      {hasPhoto && !combines && (
        <span id="token-hint" class="unseen">
          {texts.tokenHint}
        </span>
      )}
      {(typed || hasPhoto) && (
        <button type="button" class="round clear" aria-label={texts.clearBox} title={texts.clearBox} onClick={clear}>
          <Icon name="close" />
        </button>
      )}
      <PhotoPicker onPhoto={onPhoto} />
      <button class="round strong" aria-label={texts.search}>
        <Icon name="search" />
      </button>
      {isOpen && <Recents searches={shown} active={active} onTake={ask} onForget={forget} />}
    </form>
  );
}
