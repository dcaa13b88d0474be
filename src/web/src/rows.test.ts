import assert from "node:assert/strict";
import { test } from "node:test";
import { changed, choices, columns, filterOf, newNeeds, NO_ROW_FILTER, placeOf, sorted, withLive, type Row } from "./rows.ts";

function row(id: string, more: Partial<Row> = {}): Row {
  return {
    session_id: id,
    title: null,
    project: { name: "shop", directory: "/home/me/shop" },
    branch: null,
    role: null,
    focus: null,
    state: "active",
    column: "working",
    doing: null,
    waits_for: null,
    since: "2026-11-20T14:00:00.000000Z",
    entered_at: "2026-11-20T14:00:00.000000Z",
    started_at: "2026-11-20T13:00:00.000000Z",
    last_at: "2026-11-20T14:00:00.000000Z",
    ended_at: null,
    calls: null,
    failed: null,
    tokens: null,
    subagents: null,
    ...more,
  };
}

const past = (id: string, more: Partial<Row> = {}) => row(id, { state: "ended", column: null, entered_at: null, ...more });
const ids = (rows: Row[]) => rows.map((row) => row.session_id);
const byId = (rows: Row[]) => new Map(rows.map((row) => [row.session_id, row]));

test("a change replaces rows, adds rows and takes rows away", () => {
  const kept = row("a");
  const before = byId([kept, row("b"), row("c")]);
  const after = changed(before, { changed: [row("b", { column: "done" }), row("d")], gone: ["c", "never seen"] });
  assert.deepEqual([...after.keys()], ["a", "b", "d"]);
  assert.equal(after.get("a"), kept);
  assert.equal(after.get("b")?.column, "done");
  assert.equal(before.size, 3);
});

test("in a column the session that came first is at the top", () => {
  const at = (minute: number) => `2026-11-20T14:0${minute}:00.000000Z`;
  const board = columns([row("late", { entered_at: at(5) }), row("b", { entered_at: at(1) }), row("a", { entered_at: at(1) }), past("over")]);
  assert.deepEqual(ids(board.working), ["a", "b", "late"]);
  assert.deepEqual([board.needs, board.done, board.idle], [[], [], []]);
});

test("only a session that begins to need a person is announced", () => {
  const needs = (id: string) => row(id, { column: "needs" });
  const before = byId([needs("a"), row("b"), row("c")]);
  const after = byId([needs("a"), needs("b"), row("c"), needs("d")]);
  assert.deepEqual(ids(newNeeds(before, after)), ["b", "d"]);
});

test("what the board knows of a session replaces its record", () => {
  const live = byId([row("a", { doing: "Bash: make" }), row("new")]);
  const all = withLive([row("a"), past("b")], live);
  assert.deepEqual(ids(all), ["new", "a", "b"]);
  assert.equal(all[1]?.doing, "Bash: make");
});

test("a filter keeps rows that have each word somewhere", () => {
  const rows = [
    row("a", { title: "Fix the totals", branch: "main", role: "builder" }),
    past("b", { title: "Fix the docs", branch: "main" }),
    row("c", { project: { name: "infra", directory: "/srv/infra" }, column: "needs", waits_for: "permission" }),
    row("d", { state: "idle", column: "idle", focus: "Totals of taxes" }),
  ];
  const kept = (filter: Partial<typeof NO_ROW_FILTER>) => ids(rows.filter(filterOf({ ...NO_ROW_FILTER, ...filter }))).join("");
  assert.equal(kept({}), "abcd");
  assert.equal(kept({ text: "fix TOTALS" }), "a");
  assert.equal(kept({ text: "totals" }), "ad");
  assert.equal(kept({ text: "needs you" }), "c");
  assert.equal(kept({ text: " " }), "abcd");
  assert.equal(kept({ project: "infra" }), "c");
  assert.equal(kept({ branch: "main", text: "docs" }), "b");
  assert.equal(kept({ role: "builder" }), "a");
  assert.equal(kept({ state: "live" }), "acd");
  assert.equal(kept({ state: "working" }), "a");
  assert.equal(kept({ state: "active" }), "ac");
  assert.equal(kept({ state: "ended" }), "b");
  assert.equal(kept({ state: "nonsense" }), "");
});

test("rows are sorted by one column, and then by their last event", () => {
  const rows = [
    row("a", { title: "Zebra", calls: 5, last_at: "2026-11-20T14:01:00.000000Z" }),
    past("b", { title: "apple", last_at: "2026-11-20T14:03:00.000000Z" }),
    row("c", { title: "Mango", calls: 50, last_at: "2026-11-20T14:02:00.000000Z", column: "needs" }),
  ];
  assert.equal(ids(sorted(rows, "title", false)).join(""), "bca");
  assert.equal(ids(sorted(rows, "title", true)).join(""), "acb");
  assert.equal(ids(sorted(rows, "last", true)).join(""), "bca");
  assert.equal(ids(sorted(rows, "calls", true)).join(""), "cab");
  assert.equal(ids(sorted(rows, "state", false)).join(""), "cab");
  assert.equal(ids(sorted(rows, "project", false)).join(""), "bca");
});

test("the values of a member are counted, the most frequent first", () => {
  const rows = [row("a", { branch: "x" }), row("b", { branch: "y" }), row("c", { branch: "y" }), row("d"), row("e", { branch: "b" })];
  assert.deepEqual(choices(rows, (row) => row.branch), [["y", 2], ["b", 1], ["x", 1]]);
});

test("a live session is called by its column, another one by its state", () => {
  assert.equal(placeOf(row("a", { column: "needs" })), "needs you");
  assert.equal(placeOf(past("b")), "ended");
});
