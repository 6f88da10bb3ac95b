import type { Photo } from "../api";
import { Icon } from "../Icon";
import { Marked } from "../Marked";
import { texts } from "../texts";
import "./Words.css";

type Props = { photo: Photo; onCopy: (words: string) => void };

/** The words on a photo, line by line, to be selected and copied; nothing where there are none. */
export function Words({ photo, onCopy }: Props) {
  const { text, matches } = photo;
  if (!text?.length) return null;
  return (
    <section class="on-photo" aria-labelledby="on-photo">
      <h4 id="on-photo">{texts.onPhoto}</h4>
      <button
        class="chip small"
        onClick={() => onCopy(text.map((line) => line.text).join("\n"))}
      >
        <Icon name="copy" />
        {texts.copyWords}
      </button>
      <ul role="list">
        {text.map((line, place) => (
          <li key={place}>
            <Marked text={line.text} words={matches?.text} />
          </li>
        ))}
      </ul>
    </section>
  );
}
