// Applies a change to a session's page. It brings the calls from an index on, and the other members whole. Pure.
import type { CallColumns, SessionPage } from "./types.ts";

/** What the server sends when a session goes on. In `calls`, the call at index `from` is the first. */
export interface SessionChange extends Partial<Omit<SessionPage, "calls">> {
  from: number;
  calls: CallColumns;
}

const TEXTS = ["tool", "what", "state", "closed", "agent", "prompt"] as const;
const DELTAS = ["start", "start_clock"] as const;
const PLAIN = ["id", "end", "end_clock", "duration", "wait", "permission", "input_bytes", "output_bytes"] as const;
const BY_CALL = ["asked", "background", "spawned"] as const;

/** Returns columns with the first `from` calls of `before` and all calls of `after`. */
export function joined(before: CallColumns, from: number, after: CallColumns): CallColumns {
  const places = new Map(before.strings.map((text, index) => [text, index]));
  const strings = [...before.strings];
  const placeOf = after.strings.map((text) => {
    const known = places.get(text);
    if (known !== undefined) return known;
    places.set(text, strings.length);
    return strings.push(text) - 1;
  });
  const text = (index: number) => (index < 0 ? index : (placeOf[index] ?? -1));
  const next = { ...before, strings } as CallColumns;
  for (const key of TEXTS) next[key] = [...before[key].slice(0, from), ...after[key].map(text)];
  for (const key of PLAIN) (next[key] as unknown[]) = [...before[key].slice(0, from), ...after[key]];
  for (const key of DELTAS) {
    const kept = before[key].slice(0, from);
    const sum = kept.reduce((sum, delta) => sum + delta, 0);
    // The first delta of `after` counts from zero; in the result it follows another call.
    next[key] = [...kept, ...after[key].map((delta, i) => (i === 0 ? delta - sum : delta))];
  }
  const moved = <T extends [number, ...number[]]>(list: T[]) => list.map(([call, ...rest]) => [call + from, ...rest] as T);
  for (const key of BY_CALL) {
    const values = after[key].map(([call, value]): [number, number] => [call, key === "asked" ? value : text(value)]);
    next[key] = [...before[key].filter(([call]) => call < from), ...moved(values)];
  }
  const errors = after.error.map(([call, value]): [number, number] => [call, text(value)]);
  next.error = [...before.error.filter(([call]) => call < from), ...moved(errors)];
  next.background_ended = [...before.background_ended.filter(([call]) => call < from), ...moved(after.background_ended)];
  next.pid = [...before.pid.filter(([call]) => call < from), ...moved(after.pid)];
  return next;
}

/** Returns the page after a change; null if calls between them are missing, so that the whole page must be requested. */
export function afterChange(page: SessionPage, change: SessionChange): SessionPage | null {
  const { from, calls, ...rest } = change;
  if (from > page.calls.tool.length) return null;
  return { ...page, ...rest, calls: joined(page.calls, from, calls) };
}
