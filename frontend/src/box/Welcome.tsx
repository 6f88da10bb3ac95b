import { texts } from "../texts";
import "./Welcome.css";

type Props = { examples: string[]; onSearch: (typed: string) => void };

/** For who has just come: searches that find something among these photos, to begin with. */
export function Welcome({ examples, onSearch }: Props) {
  if (examples.length === 0) return null;
  return (
    <section class="welcome">
      <ul class="chips" role="list" aria-label={texts.examples}>
        {examples.map((example) => (
          <li key={example}>
            <button class="chip" onClick={() => onSearch(example)}>
              {example}
            </button>
          </li>
        ))}
      </ul>
      <p>{texts.minusHint}</p>
    </section>
  );
}
