// Sessions as rows, as the server's `/api/board` and `/api/sessions` have them. Pure.
import type { Iso } from "./types.ts";

export type Column = "needs" | "working" | "done" | "idle";

export interface Row {
  session_id: string;
  title: string | null;
  project: { name: string; directory: string };
  branch: string | null;
  role: string | null;
  focus: string | null;
  state: "active" | "idle" | "ended" | "abandoned" | "imported";
  /** Null for a session that is not live. */
  column: Column | null;
  doing: string | null;
  waits_for: string | null;
  since: Iso;
  entered_at: Iso | null;
  started_at: Iso;
  last_at: Iso;
  ended_at: Iso | null;
  calls: number | null;
  failed: number | null;
  tokens: number | null;
  subagents: number | null;
}

export interface Board {
  v: number;
  now: Iso;
  live: boolean;
  fault: string | null;
  hint: string | null;
  sessions: Row[];
}

export interface RowsChange {
  now: Iso;
  live: boolean;
  fault: string | null;
  hint: string | null;
  changed: Row[];
  gone: string[];
}

export interface AllSessions {
  v: number;
  now: Iso;
  hint: string | null;
  sessions: Row[];
}

export const COLUMNS: { key: Column; name: string; empty: string }[] = [
  { key: "needs", name: "Needs you", empty: "No session needs you." },
  { key: "working", name: "Working", empty: "No session is working." },
  { key: "done", name: "Done", empty: "No session is done." },
  { key: "idle", name: "Idle", empty: "No session is idle." },
];

/** What a session is called; without a title, the beginning of its id. */
export function nameOf(row: Pick<Row, "title" | "session_id">): string {
  return row.title ?? `Session ${row.session_id.slice(0, 8)}`;
}

/** Returns the name of a live session's column, or the state of another session. */
export function placeOf(row: Pick<Row, "column" | "state">): string {
  const column = COLUMNS.find(({ key }) => key === row.column);
  return column ? column.name.toLowerCase() : row.state;
}

/** Returns the rows after a change. A row that did not change stays the same object. */
export function changed(rows: ReadonlyMap<string, Row>, change: Pick<RowsChange, "changed" | "gone">): Map<string, Row> {
  const next = new Map(rows);
  for (const row of change.changed) next.set(row.session_id, row);
  for (const id of change.gone) next.delete(id);
  return next;
}

/** Returns the rows of each column, first those that have been in it longest. */
export function columns(rows: Iterable<Row>): Record<Column, Row[]> {
  const sorted: Record<Column, Row[]> = { needs: [], working: [], done: [], idle: [] };
  for (const row of rows) if (row.column) sorted[row.column].push(row);
  const key = (row: Row) => `${row.entered_at ?? ""} ${row.session_id}`;
  for (const list of Object.values(sorted)) list.sort((one, other) => (key(one) < key(other) ? -1 : 1));
  return sorted;
}

/** Returns the sessions that need a person now and did not before. */
export function newNeeds(before: ReadonlyMap<string, Row>, after: ReadonlyMap<string, Row>): Row[] {
  return [...after.values()].filter((row) => row.column === "needs" && before.get(row.session_id)?.column !== "needs");
}

/** Returns all sessions, with what the board knows about the live ones. */
export function withLive(all: Row[], live: ReadonlyMap<string, Row>): Row[] {
  const known = new Set(all.map((row) => row.session_id));
  const more = [...live.values()].filter((row) => !known.has(row.session_id));
  return [...more, ...all.map((row) => live.get(row.session_id) ?? row)];
}

export interface RowFilter {
  text: string;
  project: string;
  branch: string;
  role: string;
  /** A state, a column, `live` for all columns, or empty for any. */
  state: string;
}

export const NO_ROW_FILTER: RowFilter = { text: "", project: "", branch: "", role: "", state: "" };

/** Returns a test for the rows that pass a filter. Each word must occur somewhere in the row. */
export function filterOf(filter: RowFilter): (row: Row) => boolean {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return (row) => {
    if (filter.project && row.project.name !== filter.project) return false;
    if (filter.branch && row.branch !== filter.branch) return false;
    if (filter.role && row.role !== filter.role) return false;
    if (filter.state === "live" && row.column === null) return false;
    if (filter.state && ![row.column, row.state, "live"].includes(filter.state)) return false;
    if (words.length === 0) return true;
    const parts = [row.title, row.session_id, row.project.name, row.project.directory, row.branch, row.role, row.focus, row.doing, placeOf(row)];
    const text = parts.filter(Boolean).join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

export type RowSort = "title" | "project" | "branch" | "state" | "started" | "last" | "calls" | "tokens";

const PLACES: (string | null)[] = ["needs", "working", "done", "idle", "active", "ended", "abandoned", "imported"];

const KEYS: Record<RowSort, (row: Row) => string | number> = {
  title: (row) => nameOf(row).toLowerCase(),
  project: (row) => row.project.name.toLowerCase(),
  branch: (row) => (row.branch ?? "").toLowerCase(),
  state: (row) => PLACES.indexOf(row.column ?? row.state),
  started: (row) => row.started_at,
  last: (row) => row.last_at,
  calls: (row) => row.calls ?? -1,
  tokens: (row) => row.tokens ?? -1,
};

/** Returns whether a column is at first sorted with the largest or latest at the top. */
export function startsDown(key: RowSort): boolean {
  return !["title", "project", "branch", "state"].includes(key);
}

export function isRowSort(key: string): key is RowSort {
  return Object.hasOwn(KEYS, key);
}

/** Sorts rows; those with equal keys by their last event, the latest first. */
export function sorted(rows: Row[], key: RowSort, down: boolean): Row[] {
  const of = KEYS[key];
  const keyed = rows.map((row) => [of(row), row] as const);
  const way = down ? -1 : 1;
  keyed.sort(([one, row], [other, next]) => {
    if (one !== other) return one < other ? -way : way;
    if (row.last_at !== next.last_at) return row.last_at < next.last_at ? 1 : -1;
    return row.session_id < next.session_id ? -1 : 1;
  });
  return keyed.map(([, row]) => row);
}

/** Returns the values of a member, the most frequent first, and how many rows have each. */
export function choices(rows: Row[], of: (row: Row) => string | null): [string, number][] {
  const counts = new Map<string, number>();
  for (const row of rows) {
    const value = of(row);
    if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts].sort((one, other) => other[1] - one[1] || (one[0] < other[0] ? -1 : 1));
}
