import { thumbUrl } from "../api";
import { nameOf } from "../format";
import { Icon } from "../Icon";
import { texts } from "../texts";
import type { Query } from "../urlState";
import { Preview, Upload } from "./Preview";
import "./Tokens.css";

type Props = {
  query: Query;
  /** Whether Enter would put what is typed in their place. */
  leaving: boolean;
  /** Whether words may be added; they are there already, or are about to be. */
  alone: boolean;
  onRemove: (without: Partial<Query>) => void;
  onAdd: () => void;
};

/** The photos that are asked for, as they stand in the box. */
export function Tokens({ query, leaving, alone, onRemove, onAdd }: Props) {
  const { image, like } = query;
  const tokens = [
    { text: texts.yourPhoto, without: { image: "" }, photo: image && <Upload id={image} /> },
    {
      text: texts.like(nameOf(like)),
      without: { like: "" },
      photo: like && <Preview url={thumbUrl({ filename: like }, 256)} />,
    },
  ].filter(({ photo }) => photo);
  if (tokens.length === 0) return null;
  return (
    <>
      <ul class={leaving ? "tokens leaving" : "tokens"} role="list" aria-label={texts.photosInBox}>
        {tokens.map(({ text, without, photo }) => (
          <li key={text} class="token" title={text}>
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
