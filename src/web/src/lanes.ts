// From calls to a picture: which lane each call is in, and which idle times are folded. Pure. Times are µs on the session's time line.
import { isProblem, type Call } from "./calls.ts";
import type { Agent, SessionPage } from "./types.ts";

/** Bars that do not overlap, sorted by start. */
export interface Lane {
  start: Float64Array;
  end: Float64Array;
  /** The index of each bar's call. */
  call: Int32Array;
  /** How many of the bars before each one are problems. */
  problems: Int32Array;
}

/** The lanes of the main thread, of a subagent, or of what runs in the background. */
export interface Group {
  kind: "main" | "agent" | "background";
  /** The subagent; null for the main thread. */
  agent: string | null;
  label: string;
  /** The depth of a subagent, see `depths`; 0 for the main thread and the background. */
  depth: number;
  lanes: Lane[];
  runs: [start: number, end: number][];
}

/** What a part of a call's bar shows. */
export type PhaseKind = "wait" | "permission" | "run" | "lost";
export type Phase = [kind: PhaseKind, start: number, end: number];

/** If there are more subagents than this, those that ran at different times share lanes. */
export const MOST_GROUPS = 40;

/** Returns the parts of a call, in order. `now` is the end of a call that still runs. */
export function phases(call: Call, now: number): Phase[] {
  const start = call.started[1];
  const end = Math.max(start, call.ended?.[1] ?? now);
  if (call.state === "abandoned" && call.duration === null) return [["lost", start, end]];
  const runs = call.duration === null ? (call.state === "denied" ? end : start) : Math.max(start, end - call.duration * 1000);
  const found: Phase[] = [];
  const asked = call.asked === null ? null : Math.min(end, start + call.asked);
  if (asked === null) {
    if (call.state === "running") return [["run", start, end]];
    push(found, "wait", start, runs);
  } else {
    const still = call.ended === null;
    const until = still ? end : Math.max(asked, Math.min(end, asked + (call.permission ?? 0) * 1000));
    push(found, "wait", start, asked);
    push(found, "permission", asked, until);
    push(found, "wait", until, Math.max(until, runs));
    if (still) return found;
    push(found, "run", Math.max(until, runs), end);
    return found;
  }
  push(found, "run", runs, end);
  return found.length ? found : [["run", start, end]];
}

function push(found: Phase[], kind: PhaseKind, start: number, end: number) {
  // A wait of less than 1 ms is only the time that Claude Code takes to start anything.
  if (end - start > (kind === "wait" ? 1000 : 0) || (kind === "run" && found.length === 0)) found.push([kind, start, end]);
}

/** Returns the end of what is shown: the last event, or `now` for a session that goes on. */
export function lastMoment(page: SessionPage, calls: Call[], now: number | null): number {
  let last = Math.max(page.span?.[1][1] ?? 0, now ?? 0);
  for (const call of calls) {
    if (call.ended && call.ended[1] > last) last = call.ended[1];
  }
  return last;
}

interface Bar {
  start: number;
  end: number;
  call: number;
}

/** Puts bars, sorted by start, into as few lanes as they need. */
function layOut(bars: Bar[], calls: Call[]): Lane[] {
  const lanes: Bar[][] = [];
  const ends: number[] = [];
  for (const bar of bars) {
    let lane = ends.findIndex((end) => end <= bar.start);
    if (lane < 0) {
      lane = lanes.length;
      lanes.push([]);
      ends.push(0);
    }
    lanes[lane]!.push(bar);
    ends[lane] = Math.max(bar.end, bar.start + 1);
  }
  return lanes.map((bars) => {
    const lane: Lane = {
      start: Float64Array.from(bars, (bar) => bar.start),
      end: Float64Array.from(bars, (bar) => bar.end),
      call: Int32Array.from(bars, (bar) => bar.call),
      problems: new Int32Array(bars.length + 1),
    };
    bars.forEach((bar, i) => {
      lane.problems[i + 1] = lane.problems[i]! + (isProblem(calls[bar.call]!.state) ? 1 : 0);
    });
    return lane;
  });
}

/** Returns the depth of each subagent: 1 if the main thread started it, 20 at most, so that a cycle ends. */
export function depths(agents: Agent[]): Map<string, number> {
  const parents = new Map(agents.map((agent) => [agent.agent_id, agent.parent]));
  const found = new Map<string, number>();
  for (const { agent_id } of agents) {
    let depth = 1;
    let above = parents.get(agent_id) ?? null;
    while (above !== null && depth < 20) {
      depth++;
      above = parents.get(above) ?? null;
    }
    found.set(agent_id, depth);
  }
  return found;
}

/** Returns the groups of lanes: the main thread, the subagents in the order of their start, the background. */
export function groups(page: SessionPage, calls: Call[], last: number): Group[] {
  const byAgent = new Map<string | null, Bar[]>([[null, []]]);
  for (const agent of page.agents) byAgent.set(agent.agent_id, []);
  const background: Bar[] = [];
  for (const call of calls) {
    const start = call.started[1];
    let bars = byAgent.get(call.agent);
    if (!bars) byAgent.set(call.agent, (bars = []));
    bars.push({ start, end: Math.max(start, call.ended?.[1] ?? last), call: call.index });
    if (call.background !== null) {
      const from = call.ended?.[1] ?? start;
      background.push({ start: from, end: Math.max(from, call.backgroundEnded?.[1] ?? last), call: call.index });
    }
  }
  const known = new Map(page.agents.map((agent) => [agent.agent_id, agent]));
  const depth = depths(page.agents);
  const found: Group[] = [{ kind: "main", agent: null, label: "Main", depth: 0, lanes: layOut(byAgent.get(null) ?? [], calls), runs: [] }];
  const subagents = [...byAgent.keys()].filter((id): id is string => id !== null);
  if (subagents.length <= MOST_GROUPS) {
    for (const id of subagents) {
      const agent = known.get(id);
      found.push({
        kind: "agent",
        agent: id,
        label: agent?.agent_type ?? id,
        depth: depth.get(id) ?? 1,
        lanes: layOut(byAgent.get(id) ?? [], calls),
        runs: agent ? runsOf(agent, last) : [],
      });
    }
  } else {
    found.push(...shared(subagents, byAgent, known, calls, last));
  }
  if (background.length) {
    background.sort((one, other) => one.start - other.start);
    found.push({ kind: "background", agent: null, label: "Background", depth: 0, lanes: layOut(background, calls), runs: [] });
  }
  return found;
}

function runsOf(agent: Agent, last: number): [number, number][] {
  return agent.runs.map((run) => [run.started[1], Math.max(run.started[1], run.ended?.[1] ?? last)]);
}

/** Returns groups in which subagents that ran at different times share lanes. */
function shared(ids: string[], byAgent: Map<string | null, Bar[]>, known: Map<string, Agent>, calls: Call[], last: number): Group[] {
  const rows: { end: number; bars: Bar[]; runs: [number, number][] }[] = [];
  const whole = ids.map((id) => {
    const bars = byAgent.get(id) ?? [];
    const agent = known.get(id);
    const runs = agent ? runsOf(agent, last) : [];
    const all = [...bars.map((bar) => [bar.start, bar.end] as const), ...runs];
    let [start, end] = [Infinity, 0];
    for (const [from, to] of all) {
      start = Math.min(start, from);
      end = Math.max(end, to);
    }
    return { start, end, bars, runs };
  });
  whole.sort((one, other) => one.start - other.start);
  for (const { start, end, bars, runs } of whole) {
    let row = rows.find((row) => row.end <= start);
    if (!row) rows.push((row = { end: 0, bars: [], runs: [] }));
    for (const bar of bars) row.bars.push(bar);
    row.runs.push(...runs);
    row.end = Math.max(row.end, end);
  }
  return rows.map((row, i) => ({
    kind: "agent",
    agent: null,
    label: `Subagents ${i + 1}`,
    depth: 1,
    lanes: layOut(row.bars, calls),
    runs: row.runs,
  }));
}

/** Returns the index of a lane's first bar that ends after `time`. */
export function firstAfter(lane: Lane, time: number, from = 0): number {
  let low = from;
  let high = lane.end.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lane.end[middle]! > time) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** A piece of the time line. `at` is the real time, `u` the drawn one, on which folded idle times are short. */
export interface Piece {
  at: number;
  end: number;
  u: number;
  uEnd: number;
  folded: boolean;
}

/** How the time line is drawn: all of it, in pieces. */
export interface Folding {
  pieces: Piece[];
  /** The whole length as drawn. */
  length: number;
}

/** An idle time is folded only if it is longer than a minute. */
const SHORTEST = 60e6;

/** Returns the intervals in which something happened, sorted by start. Waiting for a person counts as idle. */
function busy(page: SessionPage, calls: Call[], last: number): [number, number][] {
  const found: [number, number][] = [];
  for (const call of calls) {
    const start = call.started[1];
    if (call.tool === "Agent" || call.tool === "Task" || call.state === "abandoned") {
      found.push([start, start]);
      if (call.ended && call.state !== "abandoned") found.push([call.ended[1], call.ended[1]]);
      continue;
    }
    for (const [kind, from, to] of phases(call, last)) {
      if (kind === "run" || kind === "wait") found.push([from, to]);
      else found.push([from, from]);
    }
  }
  for (const prompt of page.prompts) {
    found.push([prompt.at[1], prompt.at[1]]);
    if (prompt.ended && prompt.end !== "interrupted") found.push([prompt.ended[1], prompt.ended[1]]);
  }
  for (const { started, ended } of page.compactions) found.push([started[1], ended?.[1] ?? started[1]]);
  for (const { started } of page.segments) found.push([started[1], started[1]]);
  found.sort((one, other) => one[0] - other[0]);
  return found;
}

/** Folds the idle times up to `last`, or none if `wanted` is false. */
export function fold(page: SessionPage, calls: Call[], last: number, wanted: boolean): Folding {
  const length = Math.max(last, 1000);
  const whole: Folding = { pieces: [{ at: 0, end: length, u: 0, uEnd: length, folded: false }], length };
  if (!wanted) return whole;
  const gaps: [number, number][] = [];
  let until = 0;
  for (const [start, end] of busy(page, calls, last)) {
    if (start - until > SHORTEST) gaps.push([until, start]);
    until = Math.max(until, end);
  }
  if (length - until > SHORTEST) gaps.push([until, length]);
  if (gaps.length === 0) return whole;
  const idle = gaps.reduce((sum, [start, end]) => sum + end - start, 0);
  const active = Math.max(length - idle, 1e6);
  const folded = Math.max(1e6, active * Math.min(0.015, 0.3 / gaps.length));
  const pieces: Piece[] = [];
  let at = 0;
  let u = 0;
  const add = (end: number, size: number, isFolded: boolean) => {
    if (end <= at) return;
    pieces.push({ at, end, u, uEnd: u + size, folded: isFolded });
    at = end;
    u += size;
  };
  for (const [start, end] of gaps) {
    if (end - start <= folded * 1.5) continue;
    add(start, start - at, false);
    add(end, folded, true);
  }
  add(length, length - at, false);
  return { pieces, length: u };
}

function pieceBy(pieces: Piece[], value: number, end: (piece: Piece) => number): number {
  let low = 0;
  let high = pieces.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (end(pieces[middle]!) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Returns the index of the piece at `u`. */
export function firstPiece(pieces: Piece[], u: number): number {
  return pieceBy(pieces, u, (piece) => piece.uEnd);
}

/** Returns where a moment is drawn. */
export function toU(folding: Folding, at: number): number {
  const piece = folding.pieces[pieceBy(folding.pieces, at, (piece) => piece.end)]!;
  const share = (at - piece.at) / (piece.end - piece.at || 1);
  return piece.u + share * (piece.uEnd - piece.u);
}

/** Returns the moment that is drawn at `u`. */
export function toAt(folding: Folding, u: number): number {
  const piece = folding.pieces[firstPiece(folding.pieces, u)]!;
  const share = (u - piece.u) / (piece.uEnd - piece.u || 1);
  return piece.at + share * (piece.end - piece.at);
}
