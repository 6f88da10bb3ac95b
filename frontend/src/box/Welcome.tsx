import { texts } from "../texts";
import "./Welcome.css";

type Props = { examples: string[]; onSearch: (typed: string) => void };

/** For who has just come: searches that find something among these photos, to begin with. */
export function Welcome({ examples, onSearch }: Props) {
  return (
    <section class="welcome">
      {/* It has its room before it is known what stands there, or the photos would jump. */}
      {examples.length > 0 && (
        <>
          <ul class="chips strip" role="list" aria-label={texts.examples}>
            {examples.map((example) => (
              <li key={example}>
                <button class="chip small" onClick={() => onSearch(example)}>
                  {example}
                </button>
              </li>
            ))}
          </ul>
          <p>{texts.minusHint}</p>
        </>
      )}
    </section>
  );
}
