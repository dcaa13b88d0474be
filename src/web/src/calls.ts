// The calls of a session, read from their columns. Pure.
import type { CallColumns, Moment } from "./types.ts";

export type CallState = "running" | "ok" | "failed" | "denied" | "abandoned" | "backgrounded";

/** A call, with the members of `timeline --json`. Durations are milliseconds. */
export interface Call {
  /** The index in the session's list of calls, which is sorted by start. */
  index: number;
  id: string | null;
  tool: string | null;
  what: string | null;
  state: CallState;
  error: string | null;
  closed: string | null;
  agent: string | null;
  prompt: string | null;
  started: Moment;
  ended: Moment | null;
  duration: number | null;
  wait: number | null;
  permission: number | null;
  /** µs from the start to the question for permission. */
  asked: number | null;
  background: string | null;
  backgroundEnded: Moment | null;
  spawned: string | null;
  inputBytes: number | null;
  outputBytes: number | null;
  pid: number | null;
}

const known = (value: number | undefined): number | null => (value === undefined || value < 0 ? null : value);

/** Reads columns. `from` is the index of their first call in the session. */
export function readCalls(columns: CallColumns, from = 0): Call[] {
  const text = (index: number | undefined): string | null => (index === undefined || index < 0 ? null : (columns.strings[index] ?? null));
  const calls: Call[] = new Array(columns.tool.length);
  let at = 0;
  let ahead = 0;
  for (let i = 0; i < calls.length; i++) {
    at += columns.start[i] ?? 0;
    ahead += columns.start_clock[i] ?? 0;
    const end = columns.end[i] ?? null;
    const started: Moment = [at + ahead, at];
    calls[i] = {
      index: from + i,
      id: columns.id[i] ?? null,
      tool: text(columns.tool[i]),
      what: text(columns.what[i]),
      state: (text(columns.state[i]) ?? "running") as CallState,
      error: null,
      closed: text(columns.closed[i]),
      agent: text(columns.agent[i]),
      prompt: text(columns.prompt[i]),
      started,
      ended: end === null ? null : [started[0] + end + (columns.end_clock[i] ?? 0), at + end],
      duration: known(columns.duration[i]),
      wait: known(columns.wait[i]),
      permission: known(columns.permission[i]),
      asked: null,
      background: null,
      backgroundEnded: null,
      spawned: null,
      inputBytes: known(columns.input_bytes[i]),
      outputBytes: known(columns.output_bytes[i]),
      pid: null,
    };
  }
  const each = (column: [number, number][], set: (call: Call, value: number) => void) => {
    for (const [index, value] of column) {
      const call = calls[index];
      if (call) set(call, value);
    }
  };
  each(columns.asked, (call, value) => (call.asked = value));
  each(columns.error, (call, value) => (call.error = text(value)));
  each(columns.background, (call, value) => (call.background = text(value)));
  each(columns.spawned, (call, value) => (call.spawned = text(value)));
  for (const [index, ts, place] of columns.background_ended) {
    const call = calls[index];
    if (call) call.backgroundEnded = [ts, place];
  }
  let pid: number | null = null;
  let next = 0;
  for (let i = 0; i < calls.length; i++) {
    const change = columns.pid[next];
    if (change && change[0] === i) {
      pid = known(change[1]);
      next++;
    }
    calls[i]!.pid = pid;
  }
  return calls;
}

/** The time from a call's start to its end in whole milliseconds, as `elapsed_ms`; null while it runs. */
export function elapsed(call: Call): number | null {
  return call.ended === null ? null : Math.max(0, Math.floor((call.ended[1] - call.started[1]) / 1000));
}

/** Returns whether the call failed, was denied or was abandoned: what a person wants to see first. */
export function isProblem(state: CallState): boolean {
  return state === "failed" || state === "denied" || state === "abandoned";
}
