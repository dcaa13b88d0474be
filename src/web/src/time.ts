// Times and durations in words. Pure, but for the reader's own time zone. Times are µs since 1970.

const two = (value: number) => String(value).padStart(2, "0");

/** As ccsession writes it: `2026-11-20T14:27:52.467733Z`. */
export function iso(us: number): string {
  const ms = Math.floor(us / 1000);
  const rest = us - ms * 1000;
  return new Date(ms).toISOString().replace("Z", `${String(rest).padStart(3, "0")}Z`);
}

/** µs since 1970 of an RFC 3339 text with up to six digits. */
export function parseIso(text: string): number {
  const match = /^(.*?)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!match) return NaN;
  return Date.parse(`${match[1]}${match[3]}`) * 1000 + Number((match[2] ?? "").padEnd(6, "0"));
}

/** The local date and time, to the second: `2026-11-20 15:27:52`. */
export function local(us: number): string {
  return `${localDay(us)} ${localTime(us)}`;
}

export function localDay(us: number): string {
  const date = new Date(us / 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export function localTime(us: number): string {
  const date = new Date(us / 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A duration in milliseconds, short: `7 ms`, `1.2 s`, `45 s`, `3 m 20 s`, `2 h 5 m`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const [large, small, unit, sub] =
    seconds < 3600
      ? [Math.floor(seconds / 60), seconds % 60, "m", "s"]
      : seconds < 86_400
        ? [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), "h", "m"]
        : [Math.floor(seconds / 86_400), Math.floor((seconds % 86_400) / 3600), "d", "h"];
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${sub}`;
}
