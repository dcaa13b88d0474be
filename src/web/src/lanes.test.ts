import assert from "node:assert/strict";
import { test } from "node:test";
import type { Call } from "./calls.ts";
import { firstAfter, fold, groups, MOST_GROUPS, phases, toAt, toU, type Phase } from "./lanes.ts";
import type { Agent, SessionPage } from "./types.ts";

const S = 1e6;

function call(index: number, start: number, end: number | null, more: Partial<Call> = {}): Call {
  return {
    index,
    id: `t${index}`,
    tool: "Bash",
    what: null,
    state: end === null ? "running" : "ok",
    error: null,
    closed: "by_itself",
    agent: null,
    prompt: null,
    started: [start, start],
    ended: end === null ? null : [end, end],
    duration: end === null ? null : (end - start) / 1000,
    wait: 0,
    permission: null,
    asked: null,
    background: null,
    backgroundEnded: null,
    spawned: null,
    inputBytes: null,
    outputBytes: null,
    pid: null,
    ...more,
  };
}

function agent(id: string, start: number, end: number, parent: string | null = null): Agent {
  return {
    agent_id: id,
    agent_type: "Explore",
    started: [start, start],
    ended: [end, end],
    parent,
    linked: true,
    subtree: { agents: 0, calls: 0, failed: 0, calls_ms: 0, tokens: 0 },
    runs: [{ started: [start, start], ended: [end, end], call: null }],
  };
}

function page(agents: Agent[] = [], more: Partial<SessionPage> = {}): SessionPage {
  return { agents, prompts: [], compactions: [], segments: [], ...more } as unknown as SessionPage;
}

test("parallel calls are in lanes of their own, and no two bars of a lane overlap", () => {
  const calls = [call(0, 0, 5 * S), call(1, 1 * S, 2 * S), call(2, 3 * S, 4 * S), call(3, 5 * S, 6 * S)];
  const [main] = groups(page(), calls, 6 * S);
  assert.deepEqual(
    main!.lanes.map((lane) => [...lane.call]),
    [
      [0, 3],
      [1, 2],
    ],
  );
  for (const lane of main!.lanes) {
    for (let i = 1; i < lane.start.length; i++) assert.ok(lane.start[i]! >= lane.end[i - 1]!);
  }
});

test("each subagent has a group below the one that started it", () => {
  const agents = [agent("a", 0, 9 * S), agent("b", 1 * S, 5 * S, "a")];
  const calls = [call(0, 1 * S, 2 * S, { agent: "a" }), call(1, 2 * S, 3 * S, { agent: "b" })];
  const found = groups(page(agents), calls, 9 * S);
  assert.deepEqual(
    found.map((group) => [group.agent, group.depth]),
    [
      [null, 0],
      ["a", 1],
      ["b", 2],
    ],
  );
});

test("many subagents share groups, and none of their calls is lost", () => {
  const count = MOST_GROUPS * 3;
  const agents = Array.from({ length: count }, (_, i) => agent(`a${i}`, i * S, (i + 1) * S));
  const calls = agents.map((agent, i) => call(i, i * S, i * S + S / 2, { agent: agent.agent_id }));
  const found = groups(page(agents), calls, count * S);
  assert.equal(found.length, 2);
  assert.equal(
    found[1]!.lanes.reduce((sum, lane) => sum + lane.call.length, 0),
    count,
  );
});

test("a background task has a bar from the end of its call to its own", () => {
  const calls = [call(0, 0, 1 * S, { state: "backgrounded", background: "b1", backgroundEnded: [7 * S, 7 * S] })];
  const found = groups(page(), calls, 9 * S);
  assert.deepEqual(
    found.map((group) => group.kind),
    ["main", "background"],
  );
  assert.deepEqual([found[1]!.lanes[0]!.start[0], found[1]!.lanes[0]!.end[0]], [1 * S, 7 * S]);
});

test("the parts of a call are what it did: it waited, asked, ran", () => {
  const asked = call(0, 0, 10 * S, { asked: 1 * S, permission: 6000, duration: 3000 });
  assert.deepEqual(phases(asked, 10 * S), [
    ["wait", 0, 1 * S],
    ["permission", 1 * S, 7 * S],
    ["run", 7 * S, 10 * S],
  ] satisfies Phase[]);
  const denied = call(1, 0, 5 * S, { asked: S / 2, permission: 4500, duration: null, state: "denied" });
  assert.deepEqual(phases(denied, 5 * S), [
    ["wait", 0, S / 2],
    ["permission", S / 2, 5 * S],
  ] satisfies Phase[]);
  assert.deepEqual(phases(call(2, 0, null), 4 * S), [["run", 0, 4 * S]] satisfies Phase[]);
  assert.deepEqual(phases(call(3, 0, null, { asked: S }), 4 * S), [
    ["wait", 0, S],
    ["permission", S, 4 * S],
  ] satisfies Phase[]);
  assert.deepEqual(phases(call(4, 0, 9 * S, { state: "abandoned", duration: null }), 9 * S), [["lost", 0, 9 * S]] satisfies Phase[]);
});

test("an idle time is folded, and every moment keeps its place in the order", () => {
  const calls = [call(0, 0, 60 * S), call(1, 4000 * S, 4060 * S)];
  const folding = fold(page(), calls, 4060 * S, true);
  assert.equal(folding.pieces.filter((piece) => piece.folded).length, 1);
  assert.ok(folding.length < 200 * S);
  let before = -1;
  for (let at = 0; at <= 4060 * S; at += 7 * S) {
    const u = toU(folding, at);
    assert.ok(u > before);
    before = u;
    assert.ok(Math.abs(toAt(folding, u) - at) < 10);
  }
  assert.equal(toU(folding, 4060 * S), folding.length);
  assert.equal(fold(page(), calls, 4060 * S, false).length, 4060 * S);
});

test("short pauses are never folded, and an empty session has a time line", () => {
  const calls = [call(0, 0, 1 * S), call(1, 30 * S, 31 * S)];
  assert.equal(fold(page(), calls, 31 * S, true).pieces.length, 1);
  assert.ok(fold(page(), [], 0, true).length > 0);
});

test("the first bar after a time is found", () => {
  const [main] = groups(page(), [call(0, 0, S), call(1, 2 * S, 3 * S), call(2, 4 * S, 5 * S)], 5 * S);
  const lane = main!.lanes[0]!;
  assert.deepEqual(
    [0, S - 1, S, 3 * S, 9 * S].map((time) => firstAfter(lane, time)),
    [0, 0, 1, 2, 3],
  );
});
