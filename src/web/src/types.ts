// The data of a page, as `src/view/page` writes it. Change both together.

/** `[wall clock in µs since 1970, µs since the session's first event, whatever the clock showed]` */
export type Moment = [ts: number, at: number];

/** RFC 3339 in UTC with six digits. */
export type Iso = string;

export interface PageData {
  v: 1;
  made_at: Iso;
  made_by: string;
  mode: "report" | "dashboard";
  /** True if the page has structure and times, and no content. */
  metadata: boolean;
  left_out: string[];
  /** What `stats --json` says of all sessions; null in a report of one session. */
  stats: Stats | null;
  /** The latest first. */
  sessions: SessionPage[];
}

export interface SessionPage {
  session_id: string;
  title: { text: string; source: string } | null;
  project: { name: string; root: string } | null;
  state: "active" | "idle" | "ended" | "abandoned" | "imported";
  role: string | null;
  focus: string | null;
  notes: { at: Iso; text: string }[];
  branch: string | null;
  model: string | null;
  source: string | null;
  started_at: Iso;
  ended_at: Iso | null;
  last_activity: Iso | null;
  outcome: string | null;
  exit_status: number | null;
  attention: Attention;
  commits: Commit[];
  /** The session that this one came from, and those that came from it. */
  lineage: Kin[];
  lineage_more: number;
  tokens: Tokens[];
  cost_usd: number | null;
  coverage: { calls: number; recorded: number } | null;
  damage: { torn: number; foreign: number; newer: number; unreadable: number };
  span: [Moment, Moment] | null;
  /** True if the calls and their surroundings are not on the page, because it has so many others. */
  calls_left_out: boolean;
  calls: CallColumns;
  prompts: Prompt[];
  agents: Agent[];
  compactions: { started: Moment; ended: Moment | null; trigger: string | null }[];
  segments: Segment[];
  stats: Stats;
  events: number;
  duplicates: number;
}

export interface Attention {
  state: "permission" | "question" | "plan" | "prompt" | "error" | "none";
  since: Iso | null;
  tool: string | null;
  what: string | null;
  agent_id: string | null;
  background: number;
}

export interface Commit {
  id: string;
  at: Iso;
  how: string;
  certainty: "possible" | "likely" | "certain";
  replaced_by: string | null;
  tool_use_id: string | null;
}

export interface Kin {
  relation: "before" | "around" | "after" | "within";
  session_id: string;
  title: SessionPage["title"];
  /** Null if there is no record of it. */
  state: SessionPage["state"] | null;
  source: string | null;
  started_at: Iso | null;
}

export interface Tokens {
  agent_type: string | null;
  agent_id: string | null;
  model: string;
  messages: number;
  input: number;
  output: number;
  cache_read: number;
  cache_creation: number;
}

/** A column for each member. A text is an index into `strings`, -1 is none or unknown. */
export interface CallColumns {
  strings: string[];
  id: (string | null)[];
  tool: number[];
  what: number[];
  state: number[];
  closed: number[];
  agent: number[];
  prompt: number[];
  /** The start in µs on the time line, minus that of the call before. */
  start: number[];
  /** How far the wall clock is ahead of the start, minus the same of the call before. */
  start_clock: number[];
  /** µs from the start; null while it runs. */
  end: (number | null)[];
  end_clock: number[];
  /** Milliseconds, -1 is unknown. */
  duration: number[];
  wait: number[];
  permission: number[];
  input_bytes: number[];
  output_bytes: number[];
  /** `[call, µs from its start]` */
  asked: [number, number][];
  error: [number, number][];
  background: [number, number][];
  background_ended: [call: number, ts: number, at: number][];
  spawned: [number, number][];
  /** `[call, process]` for each call whose process differs from that of the call before; -1 is unknown. */
  pid: [number, number][];
}

export interface Prompt {
  prompt_id: string | null;
  what: string | null;
  branch: string | null;
  at: Moment;
  /** True if no person wrote it: it reports the end of a background task. */
  notification: boolean;
  task_id: string | null;
  ended: Moment | null;
  end: "open" | "stopped" | "failed" | "interrupted";
  error: string | null;
}

export interface Agent {
  agent_id: string;
  agent_type: string | null;
  started: Moment;
  ended: Moment | null;
  parent: string | null;
  linked: boolean;
  subtree: { agents: number; calls: number; failed: number; calls_ms: number; tokens: number };
  runs: { started: Moment; ended: Moment | null; call: number | null }[];
}

export interface Segment {
  started: Moment;
  ended: Moment | null;
  source: string | null;
  reason: string | null;
  pid: number | null;
}

/** As `stats --json`. */
export interface Stats {
  sessions: number;
  events: number;
  prompts: number;
  agents: number;
  compactions: number;
  duplicates: number;
  tools: ToolStats[];
  calls: number;
  failed: number;
  open: number;
  abandoned: number;
  total_ms: number;
  wait_ms: number;
  permission_ms: number;
  hours: number[];
  days: { day: string; sessions: number }[];
}

export interface ToolStats {
  tool: string;
  calls: number;
  ok: number;
  failed: number;
  denied: number;
  abandoned: number;
  backgrounded: number;
  running: number;
  p50_ms: number | null;
  p95_ms: number | null;
  max_ms: number | null;
  total_ms: number;
  share: number;
  wait_ms: number;
  permission_ms: number;
}
