import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../Icon";
import { texts } from "../texts";
import type { Query } from "../urlState";
import "./Exclude.css";

type Props = { query: Query; onQuery: (query: Query) => void };

/** For those who do not know that a minus in the box does the same. */
export function Exclude({ query, onQuery }: Props) {
  const [open, setOpen] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  useLayoutEffect(() => {
    if (!open) return;
    input.current!.focus();
    return () => {
      if (document.activeElement === document.body) button.current?.focus(); // it went with the field
    };
  }, [open]);

  function submit(event: SubmitEvent) {
    event.preventDefault();
    const term = input.current!.value.trim();
    setOpen(false);
    if (term) onQuery({ ...query, minus: [...new Set([...query.minus, term])] });
  }

  if (!open) {
    return (
      <button ref={button} class="chip exclude" onClick={() => setOpen(true)}>
        <Icon name="without" />
        {texts.exclude}
      </button>
    );
  }
  return (
    <form
      class="chip exclude"
      onSubmit={submit}
      onKeyDown={(event) => event.key === "Escape" && setOpen(false)}
    >
      <Icon name="without" />
      <input
        ref={input}
        aria-label={texts.shouldNotShow}
        placeholder={texts.suchAsGrass}
        size={14}
        enterkeyhint="done"
        autocomplete="off"
        onBlur={({ currentTarget }) => currentTarget.value || setOpen(false)}
      />
    </form>
  );
}
