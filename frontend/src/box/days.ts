/** Days as the form has them: both ends count. In an address `before` is the first day after. */

/** A day in ISO 8601, some days later. */
export function addDays(day: string, days: number): string {
  const date = new Date(`${day}T00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}

const isDay = (text: string) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text));

/** The day that an address means: 2024 is its first one; nothing if it means none. */
export function dayOf(text: string): string {
  const day = text.slice(0, 10) + "0000-01-01".slice(Math.min(10, text.length));
  return text && isDay(day) ? day : "";
}

/** The last day that counts before a moment. */
export function lastDayBefore(before: string): string {
  const day = dayOf(before);
  const isWithin = /T(?!00:00(:00)?$)/.test(before); // a part of that day counts too
  return day && !isWithin ? addDays(day, -1) : day;
}

/** The first moment after a day. */
export const after = (day: string) => day && addDays(day, 1);

/** The days that a year, a month or a day is: from the first to before the one after. */
export function spanOf(text: string): { after: string; before: string } | null {
  const [, year, month, day] = /^(\d{4})(?:-(\d\d)(?:-(\d\d))?)?$/.exec(text.trim()) ?? [];
  const first = dayOf(text.trim());
  if (!year || !first || Number(year) < 1826 || Number(year) > 2100) return null; // no time of photos
  if (day) return { after: first, before: addDays(first, 1) };
  if (month) return { after: first, before: `${addDays(first, 31).slice(0, 7)}-01` };
  return { after: first, before: `${Number(year) + 1}-01-01` };
}

const local = (date: Date) =>
  [date.getFullYear(), date.getMonth() + 1, date.getDate()]
    .map((part) => String(part).padStart(2, "0"))
    .join("-");

/** Spans of days that are often meant. */
export function spans(now = new Date()): Record<"thisYear" | "lastYear" | "last30Days", [string, string]> {
  const year = now.getFullYear();
  const today = local(now);
  return {
    thisYear: [`${year}-01-01`, `${year}-12-31`],
    lastYear: [`${year - 1}-01-01`, `${year - 1}-12-31`],
    last30Days: [addDays(today, -29), today],
  };
}
