import { useRef } from "preact/hooks";
import "./Filters.css";
import { Icon } from "../Icon";
import { texts } from "../texts";
import { countFilters, NO_FILTERS, type Query } from "../urlState";

type Props = { query: Query; folders: string[]; onQuery: (query: Query) => void };

export function Filters({ query, folders, onQuery }: Props) {
  const popover = useRef<HTMLFormElement>(null);
  const active = countFilters(query);

  function submit(event: SubmitEvent) {
    event.preventDefault();
    const fields = new FormData(popover.current!);
    const text = (name: string) => String(fields.get(name)).trim();
    popover.current!.hidePopover();
    const folder = text("folder").replace(/^\/+|\/+$/g, "");
    onQuery({ ...query, folder, after: text("after"), before: text("before") });
  }

  function clear() {
    popover.current!.hidePopover();
    onQuery({ ...query, ...NO_FILTERS });
  }

  return (
    <div class="filters">
      <button class="plain" popovertarget="filters">
        <Icon name="filters" />
        <span>{texts.filters}</span>
        {active > 0 && (
          <>
            {" "}
            <b>{active}</b> <span class="unseen">{texts.active}</span>
          </>
        )}
      </button>
      {/* The key, and closing it, bring the fields back to what is asked for. */}
      <form
        ref={popover}
        key={[query.folder, query.after, query.before].join()}
        id="filters"
        popover="auto"
        class="popover"
        aria-label={texts.filters}
        onSubmit={submit}
        onToggle={({ newState }) => newState === "open" || popover.current?.reset()}
      >
        <label>
          {texts.folder}
          <input
            name="folder"
            list="folders"
            placeholder={texts.anyFolder}
            autocomplete="off"
            defaultValue={query.folder}
          />
        </label>
        <datalist id="folders">
          {folders.map((folder) => (
            <option key={folder} value={folder} />
          ))}
        </datalist>
        <div class="pair">
          <label>
            {texts.takenFrom}
            <input name="after" type="date" defaultValue={query.after.slice(0, 10)} />
          </label>
          <label>
            {texts.takenBefore}
            <input name="before" type="date" defaultValue={query.before.slice(0, 10)} />
          </label>
        </div>
        <div class="buttons">
          <button type="button" class="plain" onClick={clear} disabled={active === 0}>
            {texts.clear}
          </button>
          <button class="strong">{texts.apply}</button>
        </div>
      </form>
    </div>
  );
}
