import assert from "node:assert/strict";
import { test } from "node:test";
import { readCalls } from "./calls.ts";
import { afterChange, joined } from "./merge.ts";
import type { CallColumns, SessionPage } from "./types.ts";

interface Told {
  tool: string;
  what?: string;
  error?: string;
  start: number;
  end: number | null;
  pid: number;
}

/** Columns as the server writes them. */
function columns(calls: Told[]): CallColumns {
  const strings: string[] = [];
  const text = (value: string | undefined) => {
    if (value === undefined) return -1;
    const known = strings.indexOf(value);
    return known >= 0 ? known : strings.push(value) - 1;
  };
  const less = (values: number[]) => values.map((value, i) => value - (values[i - 1] ?? 0));
  const none = calls.map(() => -1);
  return {
    strings,
    id: calls.map((_, i) => `id${i}`),
    tool: calls.map((call) => text(call.tool)),
    what: calls.map((call) => text(call.what)),
    state: calls.map((call) => text(call.end === null ? "running" : call.error ? "failed" : "ok")),
    closed: none,
    agent: none,
    prompt: none,
    start: less(calls.map((call) => call.start)),
    start_clock: less(calls.map((call) => call.start * 10)),
    end: calls.map((call) => call.end),
    end_clock: calls.map(() => 0),
    duration: calls.map((call) => call.end ?? -1),
    wait: none,
    permission: none,
    input_bytes: none,
    output_bytes: none,
    asked: calls.flatMap((call, i) => (call.what ? [[i, 5] as [number, number]] : [])),
    error: calls.flatMap((call, i) => (call.error ? [[i, text(call.error)] as [number, number]] : [])),
    background: calls.flatMap((call, i) => (call.pid === 2 ? [[i, text(`task ${call.what}`)] as [number, number]] : [])),
    background_ended: calls.flatMap((call, i) => (call.pid === 2 ? [[i, 77, 7] as [number, number, number]] : [])),
    spawned: [],
    pid: calls.flatMap((call, i) => (call.pid === calls[i - 1]?.pid ? [] : [[i, call.pid] as [number, number]])),
  };
}

const CALLS: Told[] = [
  { tool: "Bash", what: "make", start: 10, end: 3, pid: 1 },
  { tool: "Read", what: "a.rs", start: 20, end: 4, error: "gone", pid: 1 },
  { tool: "Bash", start: 30, end: 9, pid: 2 },
  { tool: "Edit", what: "a.rs", start: 41, end: 2, error: "gone", pid: 2 },
  { tool: "Bash", what: "make", start: 55, end: 1, pid: 1 },
];

const without = (calls: ReturnType<typeof readCalls>) => calls.map(({ id: _, ...call }) => call);

test("calls from an index on replace those that were there", () => {
  for (let known = 0; known <= CALLS.length; known++) {
    for (let from = 0; from <= known; from++) {
      const before = columns(CALLS.slice(0, known).map((call, i) => (i >= from ? { ...call, end: null, tool: "Other" } : call)));
      const after = joined(before, from, columns(CALLS.slice(from)));
      assert.deepEqual(without(readCalls(after)), without(readCalls(columns(CALLS))), `${known} known, from ${from}`);
    }
  }
});

test("a change leaves the page before as it was, and brings the small rest", () => {
  const page = { calls: columns(CALLS.slice(0, 2)), state: "active", branch: "main" } as SessionPage;
  const copy = structuredClone(page);
  const next = afterChange(page, { from: 2, calls: columns(CALLS.slice(2)), state: "idle" });
  assert.equal(next?.calls.tool.length, 5);
  assert.equal(next?.state, "idle");
  assert.equal(next?.branch, "main");
  assert.ok(!("from" in next!));
  assert.deepEqual(page, copy);
});

test("a change that leaves a gap asks for the whole page", () => {
  const page = { calls: columns(CALLS.slice(0, 2)) } as SessionPage;
  assert.equal(afterChange(page, { from: 3, calls: columns(CALLS.slice(3)) }), null);
});
