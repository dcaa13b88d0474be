import assert from "node:assert/strict";
import { test } from "node:test";
import { duration, iso, parseIso } from "./time.ts";

test("a time keeps its microseconds", () => {
  for (const text of ["2026-11-20T14:27:52.467733Z", "1970-01-01T00:00:00.000001Z", "1969-12-31T23:59:59.999999Z"]) {
    assert.equal(iso(parseIso(text)), text);
  }
  assert.equal(parseIso("2026-11-20T14:27:52Z"), 1795184872000000);
  assert.ok(Number.isNaN(parseIso("yesterday")));
});

test("a duration is short and has at most two units", () => {
  const cases: [number, string][] = [
    [0, "0 ms"],
    [999, "999 ms"],
    [1000, "1.0 s"],
    [9949, "9.9 s"],
    [9999, "10 s"],
    [59_600, "1 m"],
    [200_000, "3 m 20 s"],
    [3_600_000, "1 h"],
    [7_500_000, "2 h 5 m"],
    [273_600_000, "3 d 4 h"],
  ];
  for (const [ms, words] of cases) assert.equal(duration(ms), words);
});
