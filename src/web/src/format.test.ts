import assert from "node:assert/strict";
import { test } from "node:test";
import { below, brief, bytes, percent, plural, shortPath, toolKind, toolName } from "./format.ts";
import { calendar, months, shade } from "./days.ts";
import { logScale, place } from "./scale.ts";
import { step, ticks } from "./ruler.ts";

test("numbers are short", () => {
  assert.deepEqual([0, 999, 9999, 10_000, 12_345, 999_499, 1_500_000, 2_500_000_000].map(brief), [
    "0",
    "999",
    "9\u202f999",
    "10k",
    "12k",
    "999k",
    "1.5M",
    "2.5G",
  ]);
  assert.deepEqual(
    [1, 2, 1234].map((count) => plural(count, "call")),
    ["1 call", "2 calls", "1\u202f234 calls"],
  );
  assert.deepEqual([0, 0.001, 0.374, 1].map(percent), ["0\u202f%", "<1\u202f%", "37\u202f%", "100\u202f%"]);
  assert.deepEqual([12, 1500, 2_000_000].map(bytes), ["12 B", "1.5 kB", "2.0 MB"]);
});

test("a tool has a name for people and a kind", () => {
  assert.equal(toolName("mcp__linear__get_issue"), "linear: get_issue");
  assert.equal(toolName(null), "?");
  assert.deepEqual(["Read", "Bash", "mcp__x__y", "Agent", "Constructor", "toString"].map(toolKind), [
    "read",
    "shell",
    "mcp",
    "agent",
    "other",
    "other",
  ]);
});

test("a path of the project begins below its directory", () => {
  assert.equal(below("/home/dev/shop/src/lib.rs", "/home/dev/shop"), "src/lib.rs");
  for (const text of ["/home/dev/shopping/a", "Run the tests", "/home/dev/shop"]) assert.equal(below(text, "/home/dev/shop"), text);
  assert.equal(below("/etc/hosts", undefined), "/etc/hosts");
  assert.equal(below("/etc/hosts", "/"), "/etc/hosts");
});

test("of a long path the end stays", () => {
  const long = `/home/dev/${"deep/".repeat(12)}totals.rs`;
  assert.ok(shortPath(long, 30).length <= 30);
  assert.ok(shortPath(long, 30).endsWith("deep/totals.rs"));
  assert.equal(shortPath("Run all the tests of the checkout module, twice if need be", 20).length, 58);
});

test("a calendar has every day between, in weeks from Monday", () => {
  const days = calendar(
    [
      { day: "2026-11-18", sessions: 2 },
      { day: "2026-11-30", sessions: 1 },
    ],
    53,
  );
  assert.equal(days[0]!.day, "2026-11-16");
  assert.deepEqual([days[0]!.weekday, days[6]!.weekday, days[7]!.week], [0, 6, 1]);
  assert.equal(days[days.length - 1]!.day, "2026-11-30");
  assert.equal(
    days.reduce((sum, day) => sum + day.sessions, 0),
    3,
  );
  assert.ok(
    calendar(
      [
        { day: "2020-01-01", sessions: 1 },
        { day: "2026-11-30", sessions: 1 },
      ],
      53,
    ).length <=
      53 * 7,
  );
  assert.deepEqual(calendar([], 53), []);
  assert.deepEqual([shade(0, 9), shade(1, 1), shade(9, 9)], [0, 1, 4]);
  assert.deepEqual(
    months(days).map((month) => month.name),
    ["Nov"],
  );
});

test("a duration has its place on the scale", () => {
  const scale = logScale(3, 60_000);
  assert.equal(place(scale, 1), 0);
  assert.ok(place(scale, 1000) > 0.4 && place(scale, 60_000) < 1);
  assert.equal(place(scale, 1e12), 1);
});

test("ticks stand on whole times and outside of what is folded", () => {
  assert.equal(step(700_000), 1e6);
  const folding = {
    pieces: [
      { at: 0, end: 10e6, u: 0, uEnd: 10e6, folded: false },
      { at: 10e6, end: 1000e6, u: 10e6, uEnd: 11e6, folded: true },
      { at: 1000e6, end: 1010e6, u: 11e6, uEnd: 21e6, folded: false },
    ],
    length: 21e6,
  };
  const found = ticks(folding, 0, 21e6, 5e6, () => 2e6);
  assert.deepEqual(
    found.map((tick) => tick.at / 1e6),
    [3, 8, 1003, 1008],
  );
});
