/** How large the photos are in the grid: a choice of this browser's, kept beyond the visit. */

import { useState } from "preact/hooks";

const FACTORS = [0.45, 0.65, 1, 1.5, 2.25];
export const NORMAL = 2;
const KEY = "density";
const STEP = 40; // px of a wheel that is turned, or of two fingers, for one step

const clamp = (low: number, value: number, high: number) => Math.min(high, Math.max(low, value));

/** How high a row is meant to be, in px. */
export const rowHeight = (level: number) =>
  Math.round(clamp(104, 72 + 0.09 * innerWidth, 272) * FACTORS[level]!);

function readLevel(): number {
  try {
    const kept = Number(localStorage.getItem(KEY) ?? NORMAL);
    return Number.isInteger(kept) ? clamp(0, kept, FACTORS.length - 1) : NORMAL;
  } catch {
    return NORMAL; // a browser that keeps nothing
  }
}

export type Density = {
  level: number;
  canGrow: boolean;
  canShrink: boolean;
  /** Make the photos larger by a step, or smaller by -1. */
  change: (by: number) => void;
  /** Turn a wheel's or a touchpad's pinch, in px, into steps. */
  wheel: (delta: number) => void;
};

export function useDensity(): Density {
  const [level, setLevel] = useState(readLevel);
  const [turned] = useState({ by: 0 });

  function change(by: number) {
    const next = clamp(0, level + by, FACTORS.length - 1);
    setLevel(next);
    try {
      localStorage.setItem(KEY, String(next));
    } catch {
      // then it is forgotten
    }
  }

  function wheel(delta: number) {
    turned.by += delta;
    if (Math.abs(turned.by) < STEP) return;
    change(-Math.sign(turned.by));
    turned.by = 0;
  }

  return {
    level,
    canGrow: level < FACTORS.length - 1,
    canShrink: level > 0,
    change,
    wheel,
  };
}
