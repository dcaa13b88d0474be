// How long ago something was, in words that seldom change. Pure.

/** Writes an age: `0 s`, `45 s`, `3 m`, `2 h 5 m`, `3 d 4 h`. A time in the future is `0 s` ago. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m`;
  const hours = Math.floor(minutes / 60);
  const two = (large: number, unit: string, small: number, sub: string) => (small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${sub}`);
  if (hours < 24) return two(hours, "h", minutes % 60, "m");
  return two(Math.floor(hours / 24), "d", hours % 24, "h");
}
