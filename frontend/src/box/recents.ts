/** What was searched for on this device, the latest first. Kept in the browser alone. */

import { ROOT } from "../root";

// Of each app on a host its own: the browser keeps one store for all of them.
const KEY = `recent searches${ROOT.slice(1)}`;
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
