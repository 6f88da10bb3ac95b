import { useState } from "preact/hooks";
import { WAYS } from "../format";
import { texts } from "../texts";

/** What the words are looked for in; nothing chosen is none of them, so the last one stays. */
export function Scope({ scope }: { scope: string }) {
  const [chosen, setChosen] = useState<string[]>(() =>
    WAYS.filter((way) => !scope || scope.includes(way)),
  );

  function choose(way: string) {
    const others = chosen.filter((one) => one !== way);
    if (others.length) setChosen(others.length < chosen.length ? others : [...chosen, way]);
  }

  const named = chosen.length === WAYS.length ? [] : chosen;
  return (
    <fieldset>
      <legend>{texts.lookIn}</legend>
      <div class="chips">
        {WAYS.map((way) => (
          <button
            key={way}
            type="button"
            class="chip small"
            aria-pressed={chosen.includes(way)}
            onClick={() => choose(way)}
          >
            {texts.ways[way]}
          </button>
        ))}
      </div>
      <input type="hidden" name="in" value={named.join(",").replace("text", "text,description")} />
    </fieldset>
  );
}
