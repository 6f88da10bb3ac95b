import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "../Icon";
import { texts } from "../texts";
import "./SearchBar.css";

type Props = { q: string; onSearch: (typed: string) => void; onPhoto: (file: File) => void };

const isTyping = (target: EventTarget | null) =>
  target instanceof Element && target.closest("input, textarea, select, dialog") !== null;

export function SearchBar({ q, onSearch, onPhoto }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const picker = useRef<HTMLInputElement>(null);

  // Not a value prop: an answer that arrives while the next query is being typed must not undo it.
  useLayoutEffect(() => {
    input.current!.value = q;
  }, [q]);

  useEffect(() => {
    function focus(event: KeyboardEvent) {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
      event.preventDefault();
      input.current!.select();
    }
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);

  function submit(event: SubmitEvent) {
    event.preventDefault();
    const { value } = input.current!;
    // Folds away the on-screen keyboard, which would cover the photos.
    if (matchMedia("(pointer: coarse)").matches) input.current!.blur();
    onSearch(value);
    input.current!.value = q; // what was understood comes back by the effect above
  }

  function key(event: KeyboardEvent) {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    document.querySelector<HTMLElement>('.photos [tabindex="0"]')?.focus();
  }

  function pick() {
    const [file] = picker.current!.files!;
    picker.current!.value = ""; // so that the same photo can be chosen again
    if (file) onPhoto(file);
  }

  return (
    <form role="search" class="search" action="/" onSubmit={submit}>
      <label class="unseen" for="q">
        {texts.describeWhatYouWant}
      </label>
      <input
        ref={input}
        id="q"
        name="q"
        type="search"
        placeholder={texts.describeAPhoto}
        enterkeyhint="search"
        autocomplete="off"
        autofocus
        onKeyDown={key}
      />
      <button
        type="button"
        class="round"
        aria-label={texts.searchWithPhoto}
        title={texts.searchWithPhoto}
        onClick={() => picker.current!.click()}
      >
        <Icon name="camera" />
      </button>
      <input ref={picker} type="file" accept="image/*,.heic,.heif,.hif,.heics,.heifs,.tif,.tiff,.arw,.cr2,.cr3,.dng,.nef,.orf,.pef,.raf,.rw2,.srw" hidden onChange={pick} />
      <button class="round strong" aria-label={texts.search}>
        <Icon name="search" />
      </button>
    </form>
  );
}
