import { useRef, useState } from "preact/hooks";
import { fetchFolders, type Folders } from "../api";
import { Icon } from "../Icon";
import { texts } from "../texts";
import { countFilters, NO_FILTERS, type Query } from "../urlState";
import { DayRange } from "./DayRange";
import { after as dayAfter, dayOf, lastDayBefore } from "./days";
import "./Filters.css";
import { FolderPicker } from "./FolderPicker";
import { Scope } from "./Scope";

type Props = { query: Query; onQuery: (query: Query) => void };

const NONE_YET: Folders = { folders: null, oldest: null, newest: null };

export function Filters({ query, onQuery }: Props) {
  const popover = useRef<HTMLFormElement>(null);
  const [known, setKnown] = useState(NONE_YET);
  const [closed, setClosed] = useState(0);
  const { folder, before } = query;
  const from = dayOf(query.after);
  const to = lastDayBefore(before);
  const active = countFilters(query);

  async function look() {
    const found = await fetchFolders();
    if (found) setKnown(found);
  }

  function submit(event: SubmitEvent) {
    event.preventDefault();
    const fields = new FormData(popover.current!);
    const text = (name: string) => String(fields.get(name) ?? "").trim();
    popover.current!.hidePopover();
    // A time of day in the address stays, unless another day is chosen.
    onQuery({
      ...query,
      folder: text("folder"),
      scope: text("in"),
      after: text("from") === from ? query.after : text("from"),
      before: text("to") === to ? before : dayAfter(text("to")),
    });
  }

  function clear() {
    popover.current!.hidePopover();
    onQuery({ ...query, ...NO_FILTERS });
  }

  return (
    <div class="filters">
      <button class="plain" popovertarget="filters">
        <Icon name="filters" />
        <span class="label">{texts.filters}</span>
        {active > 0 && (
          <>
            {" "}
            <b>{active}</b> <span class="unseen">{texts.active}</span>
          </>
        )}
      </button>
      <form
        ref={popover}
        id="filters"
        popover="auto"
        class="raised dropdown"
        aria-label={texts.filters}
        onSubmit={submit}
        onToggle={({ newState }) =>
          newState === "open" ? look() : setClosed((times) => times + 1)
        }
      >
        {/* Closed, the fields go back to what is asked for. */}
        <FolderPicker
          key={`${closed} ${folder}`}
          folders={known.folders}
          initial={folder}
        />
        <DayRange
          key={`${closed} ${from} ${to}`}
          from={from}
          to={to}
          oldest={known.oldest}
          newest={known.newest}
        />
        <Scope key={`${closed} ${query.scope}`} scope={query.scope} />
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
