// A session as the page uses it: calls, lanes and marks, made once from its data. Pure.
import { isProblem, readCalls, type Call } from "./calls.ts";
import { below, shortPath, toolName } from "./format.ts";
import { groups, lastMoment, type Group } from "./lanes.ts";
import { duration, localDay, parseIso } from "./time.ts";
import type { Agent, SessionPage } from "./types.ts";

export type MarkKind = "prompt" | "notification" | "compaction" | "segment" | "commit";

/** Something that happened at a moment. */
export interface Mark {
  kind: MarkKind;
  at: number;
  ts: number;
  text: string;
}

/** A prompt with its calls. */
export interface Turn {
  /** From 1, for prompts of people. */
  number: number;
  at: number;
  calls: number;
}

export interface Session {
  page: SessionPage;
  calls: Call[];
  /** The calls that failed, were denied or never returned. */
  problems: Call[];
  agents: Map<string, Agent>;
  /** Where the picture ends. */
  last: number;
  groups: Group[];
  marks: Mark[];
  /** Whether the session is active or idle. */
  live: boolean;
  /** Whether the session began and ended on different days. */
  days: boolean;
}

/** Returns the wall-clock time of the place `at` on the time line, computed from the last call that started before. */
export function clockAt(session: Session, at: number): number {
  const { calls, page } = session;
  let low = 0;
  let high = calls.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (calls[middle]!.started[1] > at) high = middle;
    else low = middle + 1;
  }
  const [ts, place] = low > 0 ? calls[low - 1]!.started : (page.span?.[0] ?? [0, 0]);
  return at + ts - place;
}

/** Returns the place on the time line of a wall-clock time, computed from the last call that started before. */
export function placeOf(calls: Call[], page: SessionPage, ts: number): number {
  let [clock, place] = page.span?.[0] ?? [0, 0];
  for (const call of calls) {
    if (call.started[0] > ts) break;
    [clock, place] = call.started;
  }
  return Math.max(0, ts - clock + place);
}

const SOURCES: Record<string, string> = {
  startup: "started",
  resume: "resumed",
  clear: "after /clear",
  compact: "after a compaction",
};

function marks(page: SessionPage, calls: Call[]): Mark[] {
  const found: Mark[] = [];
  let number = 0;
  for (const prompt of page.prompts) {
    const person = !prompt.notification;
    if (person) number++;
    const text = person
      ? `Prompt ${number}${prompt.what ? `: ${prompt.what}` : ""}`
      : `Background task ended${prompt.task_id ? `: ${prompt.task_id}` : ""}`;
    found.push({ kind: person ? "prompt" : "notification", at: prompt.at[1], ts: prompt.at[0], text });
  }
  for (const { started, ended, trigger } of page.compactions) {
    const took = ended ? `, ${duration((ended[1] - started[1]) / 1000)}` : "";
    found.push({ kind: "compaction", at: started[1], ts: started[0], text: `Compaction${trigger ? ` (${trigger})` : ""}${took}` });
  }
  for (const { started, source } of page.segments) {
    const how = source === null ? "in another process" : Object.hasOwn(SOURCES, source) ? SOURCES[source] : source;
    found.push({ kind: "segment", at: started[1], ts: started[0], text: `Session ${how}` });
  }
  const byId = new Map(page.commits.length ? calls.map((call) => [call.id, call]) : []);
  for (const commit of page.commits) {
    const ts = parseIso(commit.at);
    const call = commit.tool_use_id === null ? undefined : byId.get(commit.tool_use_id);
    const at = call?.ended?.[1] ?? placeOf(calls, page, ts);
    found.push({ kind: "commit", at, ts, text: `Commit ${commit.id.slice(0, 12)} (${commit.certainty})` });
  }
  return found.sort((one, other) => one.at - other.at);
}

/** Returns the index of the first mark at or after a moment. */
export function firstMark(marks: Mark[], at: number): number {
  let low = 0;
  let high = marks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (marks[middle]!.at >= at) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Reuses the objects of calls that did not change, so that their rows are not drawn again. */
function kept(calls: Call[], before: Call[]): Call[] {
  const same = (one: unknown, other: unknown) =>
    one === other || (Array.isArray(one) && Array.isArray(other) && one[0] === other[0] && one[1] === other[1]);
  return calls.map((call, i) => {
    const other = before[i];
    if (!other) return call;
    for (const member in call) {
      if (!same(call[member as keyof Call], other[member as keyof Call])) return call;
    }
    return other;
  });
}

/** Makes a session from its data. Running calls of a live session end at `now`, the page's time. `before` is the same session, earlier. */
export function sessionOf(page: SessionPage, now: number, before?: Session): Session {
  const read = readCalls(page.calls);
  const calls = before?.page.session_id === page.session_id ? kept(read, before.calls) : read;
  const live = page.state === "active" || page.state === "idle";
  const lastSeen = page.span?.[1];
  const until = live && lastSeen ? lastSeen[1] + Math.max(0, now - lastSeen[0]) : null;
  const isOpen = calls.some((call) => call.state === "running");
  const last = lastMoment(page, calls, isOpen ? until : null);
  return {
    page,
    calls,
    problems: calls.filter((call) => isProblem(call.state)),
    agents: new Map(page.agents.map((agent) => [agent.agent_id, agent])),
    last,
    groups: groups(page, calls, last),
    marks: marks(page, calls),
    live,
    days: page.span !== null && localDay(page.span[0][0]) !== localDay(page.span[1][0]),
  };
}

/** Returns a call's label as it is shown: a path in the project begins below its directory, and a long one keeps its end. */
export function labelOf(session: Session, call: Call, most = 60): string {
  return call.what === null ? "" : shortPath(below(call.what, session.page.project?.root), most);
}

/** A call in a few words: `Bash: Run the tests`. */
export function callName(session: Session, call: Call): string {
  const tool = toolName(call.tool);
  return call.what === null ? tool : `${tool}: ${labelOf(session, call)}`;
}

/** Returns who made a call: `main`, a subagent's type, or else its id. */
export function agentName(session: Session, id: string | null): string {
  if (id === null) return "main";
  return session.agents.get(id)?.agent_type ?? id;
}

/** The word and the mark for each state of a call. */
export const STATES: Record<Call["state"], { word: string; mark: string }> = {
  ok: { word: "ok", mark: "" },
  failed: { word: "failed", mark: "✕" },
  denied: { word: "denied", mark: "⊘" },
  abandoned: { word: "abandoned", mark: "?" },
  backgrounded: { word: "background", mark: "↷" },
  running: { word: "running", mark: "▸" },
};

/** Describes a call in one sentence, for people who do not see the picture. */
export function describe(session: Session, call: Call): string {
  const parts = [callName(session, call), STATES[call.state].word];
  if (call.error) parts.push(call.error);
  if (call.duration !== null) parts.push(duration(call.duration));
  if (call.permission) parts.push(`${duration(call.permission)} waiting for permission`);
  parts.push(`by ${agentName(session, call.agent)}`);
  return parts.join(", ");
}
