// The logarithmic scale of durations. Pure. Durations are milliseconds.

const MARKS: [number, string][] = [
  [1, "1 ms"],
  [10, "10 ms"],
  [100, "0.1 s"],
  [1000, "1 s"],
  [10_000, "10 s"],
  [60_000, "1 m"],
  [600_000, "10 m"],
  [3_600_000, "1 h"],
  [36_000_000, "10 h"],
  [360_000_000, "100 h"],
];

export interface LogScale {
  from: number;
  to: number;
  marks: [number, string][];
}

/** Returns a scale for all durations from `shortest` to `longest`. */
export function logScale(shortest: number, longest: number): LogScale {
  const from = shortest >= 10 ? 10 ** Math.floor(Math.log10(shortest)) : 1;
  const to = Math.max(from * 10, longest * 1.25);
  return { from, to, marks: MARKS.filter(([ms]) => ms >= from && ms <= to) };
}

/** Returns where on the scale a duration is, from 0 to 1. */
export function place(scale: LogScale, ms: number): number {
  const value = Math.min(scale.to, Math.max(scale.from, ms));
  return Math.log(value / scale.from) / Math.log(scale.to / scale.from);
}

/** A number from 0 to 1 that looks random and is always the same for the same index. */
export function scatter(index: number): number {
  const value = Math.sin(index * 12.9898 + 4.1414) * 43758.5453;
  return value - Math.floor(value);
}
