import { useEffect, useRef } from "preact/hooks";

type Props = { query: string; onSearch: (query: string) => void };

export function SearchBar({ query, onSearch }: Props) {
  const input = useRef<HTMLInputElement>(null);

  // Not a value prop: an answer that arrives while the next query is being typed must not undo it.
  useEffect(() => {
    input.current!.value = query;
  }, [query]);

  function submit(event: SubmitEvent) {
    event.preventDefault();
    // Folds away the on-screen keyboard, which would cover the photos.
    if (matchMedia("(pointer: coarse)").matches) input.current!.blur();
    onSearch(input.current!.value.trim());
  }

  return (
    <form role="search" class="search" action="/" onSubmit={submit}>
      <label class="unseen" for="q">
        Describe what you want to see
      </label>
      <input
        ref={input}
        id="q"
        name="q"
        type="search"
        placeholder="Describe a photo"
        enterkeyhint="search"
        autocomplete="off"
        autofocus
      />
      <button>Search</button>
    </form>
  );
}
