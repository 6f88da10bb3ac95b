import { texts } from "../texts";
import "./Welcome.css";

/** For who has just come: what can be done here, and searches to begin with. */
export function Welcome({ onSearch }: { onSearch: (typed: string) => void }) {
  return (
    <section class="welcome">
      <p>{texts.sayInPlainWords}</p>
      <ul class="chips examples" role="list" aria-label={texts.examples}>
        {texts.exampleQueries.map((example) => (
          <li key={example}>
            <button class="chip" onClick={() => onSearch(example)}>
              {example}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
