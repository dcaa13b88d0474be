import assert from "node:assert/strict";
import { test } from "node:test";
import { age } from "./ages.ts";
import { difference, leaning } from "./comparing.ts";
import { keyReader } from "./keys.ts";
import { marked } from "./marked.ts";

test("an age is short and never in the future", () => {
  const cases: [number, string][] = [
    [-5000, "0 s"], [999, "0 s"], [59_999, "59 s"], [60_000, "1 m"], [3_599_000, "59 m"],
    [3_600_000, "1 h"], [7_500_000, "2 h 5 m"], [86_400_000, "1 d"], [273_600_000, "3 d 4 h"],
  ];
  for (const [ms, words] of cases) assert.equal(age(ms), words);
});

test("a difference reads as words with a sign", () => {
  const cases: [number | null, number | null, "count" | "ms", string][] = [
    [4, 4, "count", "same"], [4, 6, "count", "+2 (×1.5)"], [10, 4, "count", "−6 (×0.40)"], [0, 3, "count", "+3"],
    [3, 0, "count", "−3"], [null, 3, "count", ""], [1000, 1500, "ms", "+500 ms (×1.5)"], [1, 250, "count", "+249 (×250)"], [1, 12, "count", "+11 (×12)"],
  ];
  for (const [one, other, unit, words] of cases) assert.equal(difference({ unit, one, other }), words);
});

test("a bar leans to the larger one, by its share", () => {
  assert.equal(leaning({ one: 4, other: 4 }), 0);
  assert.equal(leaning({ one: 0, other: 3 }), 1);
  assert.equal(leaning({ one: 4, other: 1 }), -0.75);
  assert.equal(leaning({ one: null, other: 1 }), 0);
});

test("matches are counted in characters, not in units of UTF-16", () => {
  assert.deepEqual(marked("🚀 fix it", [[2, 5]]), [
    { text: "🚀 ", isMatch: false },
    { text: "fix", isMatch: true },
    { text: " it", isMatch: false },
  ]);
  const whole = (matches: [number, number][]) => marked("abcdef", matches).map(({ text }) => text);
  assert.deepEqual(whole([]), ["abcdef"]);
  assert.deepEqual(whole([[4, 99], [0, 2], [1, 3]]), ["ab", "c", "d", "ef"]);
  assert.deepEqual(marked("", [[0, 1]]), []);
});

test("keys are read alone or after g, and never while somebody types", () => {
  const press = (more: object) => ({ key: "", modified: false, typing: false, ms: 0, ...more });
  const read = keyReader();
  assert.equal(read(press({ key: "?" })), "help");
  assert.equal(read(press({ key: "b" })), null);
  assert.equal(read(press({ key: "g", ms: 10 })), null);
  assert.equal(read(press({ key: "a", ms: 900 })), "all");
  assert.equal(read(press({ key: "g", ms: 2000 })), null);
  assert.equal(read(press({ key: "a", ms: 9000 })), null);
  assert.equal(read(press({ key: "/", typing: true })), null);
  assert.equal(read(press({ key: "?", modified: true })), null);
});
