import { useState } from "preact/hooks";
import { thumbUrl } from "../api";
import { nameOf, photoCount } from "../format";
import { useMedia } from "../grid/useMedia";
import { Icon } from "../Icon";
import { texts } from "../texts";
import type { Query } from "../urlState";
import { Preview, Upload } from "./Preview";
import "./Tokens.css";

const NARROW = "(max-width: 28rem)"; // as Tokens.css has it

type Props = {
  query: Query;
  /** Whether Enter would put what is typed in their place. */
  leaving: boolean;
  /** Whether words may be added; they are there already, or are about to be. */
  alone: boolean;
  onRemove: (without: Partial<Query>) => void;
  onAdd: () => void;
};

/** A photo, and how much it counts, as in 2:cat.png. */
function weighed(term: string): [name: string, times: string] {
  const [, weight, name] = /^(\d*\.?\d+):(.+)$/.exec(term) ?? [];
  return name ? [name, ` (×${weight})`] : [term, ""];
}

function nameIn(term: string): string {
  const [name, times] = weighed(term);
  return nameOf(name) + times;
}

/** Each photo that is asked for, and the query without it. */
function tokensOf({ image, like, unlike }: Query) {
  const others = (names: string[], name: string) => names.filter((other) => other !== name);
  const small = (term: string) => <Preview url={thumbUrl({ filename: weighed(term)[0] }, 256)} />;
  const own = { key: image, text: texts.yourPhoto, isOut: false, without: { image: "" } };
  return [
    ...(image ? [{ ...own, photo: <Upload id={image} /> }] : []),
    ...like.map((name) => ({
      key: `like ${name}`,
      isOut: false,
      text: texts.like(nameIn(name)),
      without: { like: others(like, name) },
      photo: small(name),
    })),
    ...unlike.map((name) => ({
      key: `unlike ${name}`,
      isOut: true,
      text: texts.unlike(nameIn(name)),
      without: { unlike: others(unlike, name) },
      photo: small(name),
    })),
  ];
}

/** What a query is without the last photo in its box. */
export const withoutLast = (query: Query): Partial<Query> => tokensOf(query).at(-1)!.without;

/** The photos that are asked for, or left out, as they stand in the box. */
export function Tokens({ query, leaving, alone, onRemove, onAdd }: Props) {
  const [unfolded, setUnfolded] = useState(false);
  const most = useMedia(NARROW) ? 2 : 4; // what is more hides behind a number
  const tokens = tokensOf(query);
  if (tokens.length === 0) return null;
  const shown = tokens.length > most && !unfolded ? tokens.slice(0, most - 1) : tokens;
  const hidden = tokens.length - shown.length;
  const unfold = ({ currentTarget }: { currentTarget: HTMLElement }) => {
    const list = currentTarget.closest("ul")!;
    setUnfolded(true);
    requestAnimationFrame(() => list.children[most - 1]?.querySelector("button")!.focus());
  };
  const look = [leaving && "leaving", tokens.length > 1 && "several"];
  return (
    <>
      <ul
        class={["tokens", ...look].filter(Boolean).join(" ")}
        role="list"
        aria-label={texts.photosInBox}
      >
        {shown.map(({ key, text, isOut, without, photo }) => (
          <li key={key} class={isOut ? "token out" : "token"} title={text}>
            {isOut && <Icon name="without" />}
            {photo}
            <span class="text">{text}</span>
            <button
              type="button"
              class="round"
              aria-label={texts.remove(text)}
              onClick={() => onRemove(without)}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
        {hidden > 0 && (
          <li>
            <button
              type="button"
              class="token count"
              aria-label={texts.morePhotos(photoCount(hidden))}
              onClick={unfold}
            >
              +{hidden}
            </button>
          </li>
        )}
      </ul>
      {alone && (
        <button type="button" class="add" aria-label={texts.addWords} onClick={onAdd}>
          <Icon name="plus" />
          <span>{texts.words}</span>
        </button>
      )}
    </>
  );
}
