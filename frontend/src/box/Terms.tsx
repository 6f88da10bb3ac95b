import type { TargetedMouseEvent } from "preact";
import { formatDate, formatNear, formatScope } from "../format";
import { Icon, type IconName } from "../Icon";
import { texts } from "../texts";
import type { Query } from "../urlState";
import { lastDayBefore } from "./days";
import "./Terms.css";

type Props = { query: Query; onQuery: (query: Query) => void };

/** What the photos are limited to, each removable: all that the box does not say. */
function chipsOf(query: Query) {
  const { folder, after, before, near, camera, scope } = query;
  const until = lastDayBefore(before);
  const chips: { text: string; icon: IconName; without: Partial<Query> }[] = [
    { text: folder, icon: "folder", without: { folder: "" } },
    {
      text: after && texts.from(formatDate(after)),
      icon: "calendar",
      without: { after: "" },
    },
    {
      text: before && (until ? texts.until(formatDate(until)) : texts.before(before)),
      icon: "calendar",
      without: { before: "" },
    },
    { text: near && texts.near(formatNear(near)), icon: "place", without: { near: "" } },
    { text: camera, icon: "camera", without: { camera: "" } },
    { text: scope && texts.only(formatScope(scope)), icon: "words", without: { scope: "" } },
  ];
  return chips.filter(({ text }) => text);
}

export function Terms({ query, onQuery }: Props) {
  const chips = chipsOf(query);
  if (chips.length === 0) return null;

  function remove(
    { currentTarget, detail }: TargetedMouseEvent<HTMLButtonElement>,
    without: Partial<Query>,
  ) {
    const chip = currentTarget.parentElement!;
    const neighbour = chip.nextElementSibling ?? chip.previousElementSibling;
    onQuery({ ...query, ...without });
    if (detail) return; // a finger or mouse; the keyboard's focus would go with the chip
    neighbour?.querySelector("button")!.focus();
    requestAnimationFrame(() => {
      if (document.activeElement === document.body) document.getElementById("q")!.focus();
    });
  }

  return (
    <ul class="chips strip terms" role="list" aria-label={texts.activeFilters}>
      {chips.map(({ text, icon, without }) => (
        <li key={text} class="chip">
          <Icon name={icon} />
          <span class="text">{text}</span>
          <button
            class="round"
            aria-label={texts.remove(text)}
            onClick={(event) => remove(event, without)}
          >
            <Icon name="close" />
          </button>
        </li>
      ))}
    </ul>
  );
}
