import { useState } from "preact/hooks";
import { formatDate } from "../format";
import { texts } from "../texts";
import { spans } from "./days";

type Props = { from: string; to: string; oldest: string | null; newest: string | null };

/** The days that photos were taken on, both ends among them. */
export function DayRange({ from, to, oldest, newest }: Props) {
  const [first, setFirst] = useState(from);
  const [last, setLast] = useState(to);
  const isInverted = first !== "" && last !== "" && first > last;
  const wrong = isInverted ? texts.endsBeforeItBegins : "";
  const presets = Object.entries(spans()) as [keyof ReturnType<typeof spans>, [string, string]][];

  return (
    <fieldset class="days">
      <legend>{texts.taken}</legend>
      <div class="pair">
        <label>
          {texts.fromLabel}
          <input
            name="from"
            type="date"
            value={first}
            onInput={({ currentTarget }) => setFirst(currentTarget.value)}
          />
        </label>
        <label>
          {texts.toLabel}
          <input
            name="to"
            type="date"
            ref={(input) => input?.setCustomValidity(wrong)}
            aria-invalid={isInverted}
            value={last}
            onInput={({ currentTarget }) => setLast(currentTarget.value)}
          />
        </label>
      </div>
      {wrong && (
        <p class="wrong" role="alert">
          {wrong}
        </p>
      )}
      <div class="chips">
        {presets.map(([name, [begin, end]]) => (
          <button
            key={name}
            type="button"
            class="chip small"
            aria-pressed={first === begin && last === end}
            onClick={() => (setFirst(begin), setLast(end))}
          >
            {texts[name]}
          </button>
        ))}
      </div>
      {oldest && newest && (
        <p class="range">{texts.photosFromTo(formatDate(oldest), formatDate(newest))}</p>
      )}
    </fieldset>
  );
}
