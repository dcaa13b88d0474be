// The ruler of the picture: where which times are written. Pure.
import type { Folding } from "./lanes.ts";

export interface Tick {
  u: number;
  at: number;
  /** The tick's time by the wall clock. */
  ts: number;
}

const MS = 1000;
const SECOND = 1000 * MS;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const STEPS = [
  MS,
  2 * MS,
  5 * MS,
  10 * MS,
  20 * MS,
  50 * MS,
  100 * MS,
  200 * MS,
  500 * MS,
  SECOND,
  2 * SECOND,
  5 * SECOND,
  10 * SECOND,
  15 * SECOND,
  30 * SECOND,
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  24 * HOUR,
  48 * HOUR,
  168 * HOUR,
];

/** Returns the distance between two ticks: the smallest that is at least `least` µs. */
export function step(least: number): number {
  return STEPS.find((step) => step >= least) ?? Math.ceil(least / (24 * HOUR)) * 24 * HOUR;
}

/** Returns the ticks between `u0` and `u1`, at multiples of `size` by the wall clock. `ahead` returns how far that clock is ahead of the time line at a moment. */
export function ticks(folding: Folding, u0: number, u1: number, size: number, ahead: (at: number) => number): Tick[] {
  const found: Tick[] = [];
  for (const piece of folding.pieces) {
    if (piece.uEnd < u0 || piece.u > u1 || piece.folded) continue;
    const from = piece.at + Math.max(0, u0 - piece.u);
    const to = piece.at + Math.min(piece.uEnd, u1) - piece.u;
    const clock = ahead(from);
    for (let ts = Math.ceil((from + clock) / size) * size; ts - clock <= to; ts += size) {
      const at = ts - clock;
      found.push({ u: piece.u + at - piece.at, at, ts });
      if (found.length > 500) return found;
    }
  }
  return found;
}
