/** What was searched for on this device, the latest first. Kept in the browser alone. */

const KEY = "recent searches";
const MOST = 8;

export function recentSearches(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((one) => typeof one === "string") : [];
  } catch {
    return []; // where the browser keeps nothing, or something else
  }
}

function keep(searches: string[]): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(searches.slice(0, MOST)));
  } catch {
    // It goes without.
  }
}

const others = (typed: string) => recentSearches().filter((one) => one !== typed);

export function rememberSearch(typed: string): void {
  if (typed) keep([typed, ...others(typed)]);
}

export const forgetSearch = (typed: string) => keep(others(typed));
