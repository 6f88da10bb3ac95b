/** Which months there are photos of, and how many: newest first. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Photo } from "../api";
import { ROOT } from "../root";
import { appendAll, isScored, type Query } from "../urlState";

export type Month = { month: string; photos: number };

const NONE: Month[] = [];
const FRESH_MS = 15_000;

async function fetchMonths(filters: string): Promise<Month[] | null> {
  const response = await fetch(`${ROOT}months?${filters}`).catch(() => null);
  if (!response?.ok) return null; // the photos themselves tell what is wrong
  const body: { months?: Month[] } | null = await response.json().catch(() => null);
  return body?.months ?? null;
}

/** The months of a query without words; of others none: what fits is in no order of time. */
export function useMonths(query: Query, photos: Photo[]): Month[] {
  const [months, setMonths] = useState(NONE);
  const known = useRef({ filters: "", at: -Infinity });
  const { folder, after, before, near, camera } = query;
  const given = Object.entries({ folder, after, before, near, camera }).filter(([, text]) => text);
  const parameters = new URLSearchParams(given);
  appendAll(parameters, { unlike: query.unlike });
  const filters = isScored(query) || query.duplicates ? null : `${parameters}`;

  useEffect(() => {
    if (filters === null) return setMonths(NONE);
    const isKnown = known.current.filters === filters;
    if (isKnown && performance.now() - known.current.at < FRESH_MS) return;
    if (!isKnown) setMonths(NONE);
    known.current = { filters, at: performance.now() };
    fetchMonths(filters).then((found) => {
      if (known.current.filters !== filters) return;
      if (found) setMonths(found);
      else known.current.at = -Infinity;
    });
  }, [filters, photos]);

  return filters === null ? NONE : months;
}
