import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { formatMonth } from "../format";
import { texts } from "../texts";
import type { Month } from "./months";
import "./Scrubber.css";

const BELOW_HEADER = 100; // px: what lies there is what one looks at
const SETTLE_MS = 150; // that it stays at a month before the page goes there
const LEAST_APART = 0.05; // of the scrubber's height, between two years that are written out

const sectionOf = (month: string) => document.querySelector(`[data-month="${month}"]`);

/** The month that one looks at, as the page is scrolled; nothing if none is in sight. */
function useMonthInSight(): string {
  const [month, setMonth] = useState("");
  useEffect(() => {
    let frame = 0;
    const look = () => {
      frame = 0;
      let seen = "";
      for (const section of document.querySelectorAll<HTMLElement>("[data-month]")) {
        if (seen && section.getBoundingClientRect().top > BELOW_HEADER) break;
        seen = section.dataset.month!;
      }
      setMonth(seen);
    };
    const lookSoon = () => (frame ||= requestAnimationFrame(look));
    lookSoon();
    addEventListener("scroll", lookSoon, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", lookSoon);
    };
  }, []);
  return month;
}

type Props = {
  /** As they come on the page, from its top to its end. */
  months: Month[];
  /** Show the photos from this month on: they are not on the page. */
  onMonth: (month: string) => void;
};

/** All months that there are photos of, at the right of the window, to go to one of them. */
export function Scrubber({ months, onMonth }: Props) {
  const inSight = useMonthInSight();
  const [moving, setMoving] = useState<number | null>(null); // where it is held
  const timer = useRef(0);
  const last = months.length - 1;
  const place = moving ?? Math.max(0, months.findIndex(({ month }) => month === inSight));
  const name = formatMonth(months[place]!.month);

  // A year stands where its first month is, if there is room.
  const years = useMemo(() => {
    const found: { year: string; at: number }[] = [];
    months.forEach(({ month }, index) => {
      const year = month.slice(0, 4);
      const at = index / Math.max(1, last);
      const before = found.at(-1);
      if (before?.year !== year && (!before || at - before.at >= LEAST_APART))
        found.push({ year, at });
    });
    return found;
  }, [months]);

  // Until the page is there it stands where it was put.
  useEffect(() => {
    if (!timer.current) setMoving(null);
  }, [inSight]);
  useEffect(() => () => clearTimeout(timer.current), []);

  function move(index: number) {
    setMoving(index);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => goTo(index), SETTLE_MS);
  }

  function goTo(index: number) {
    timer.current = 0;
    const { month } = months[index]!;
    const section = sectionOf(month);
    if (!section) return onMonth(month);
    section.querySelector(".month")!.scrollIntoView({ block: "start", behavior: "instant" });
  }

  return (
    <div class="scrubber">
      <ol aria-hidden="true">
        {years.map(({ year, at }) => (
          <li key={year} style={{ top: `${100 * at}%` }}>
            {year}
          </li>
        ))}
      </ol>
      <output aria-hidden="true" style={{ top: `${(100 * place) / Math.max(1, last)}%` }}>
        {name}
      </output>
      <input
        type="range"
        aria-label={texts.goToMonth}
        aria-orientation="vertical"
        aria-valuetext={name}
        min={0}
        max={last}
        value={place}
        onInput={({ currentTarget }) => move(Number(currentTarget.value))}
      />
    </div>
  );
}
