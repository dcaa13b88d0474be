// All sessions on record: filtered, sorted, and each leads to its page.
import { signal } from "@preact/signals";
import { memo } from "../memo.ts";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask, sentenceOf } from "../ask.ts";
import { setClock } from "../clock.ts";
import { grouped, plural } from "../format.ts";
import { departures, rows as live } from "../live.ts";
import { go, place as current, refine } from "../place.ts";
import { ALL, pathOf, type AllPlace } from "../route.ts";
import { choices, filterOf, nameOf, NO_ROW_FILTER, placeOf, sorted, startsDown, withLive, type AllSessions as Answer, type Row, type RowFilter, type RowSort } from "../rows.ts";
import { duration, parseIso } from "../time.ts";
import { Nothing } from "./hint.tsx";
import { Age } from "./live.tsx";
import { Text, Time } from "./parts.tsx";

/** How many rows are drawn at first, and with each step down. */
const STEP = 100;

const HEADS: { key: RowSort; name: string; right?: boolean }[] = [
  { key: "title", name: "Session" },
  { key: "project", name: "Project" },
  { key: "branch", name: "Branch" },
  { key: "state", name: "State" },
  { key: "started", name: "Start" },
  { key: "last", name: "Last event" },
];

// Kept while another view is shown, so that they are there at once when it comes back.
const record = signal<Row[] | null>(null);
const failure = signal<string | null>(null);
const empty = signal<string | null>(null);

async function read(abort: AbortSignal): Promise<void> {
  try {
    const answer = await ask<Answer>("/api/sessions", { signal: abort });
    setClock(answer.now);
    record.value = answer.sessions;
    empty.value = answer.hint;
    failure.value = null;
  } catch (error) {
    if (!abort.aborted) failure.value = sentenceOf(error);
  }
}

export function AllSessions({ place }: { place: AllPlace }) {
  const gone = departures.value;
  useEffect(() => {
    const abort = new AbortController();
    // Several sessions often end at once.
    const wait = setTimeout(() => void read(abort.signal), record.peek() === null ? 0 : 300);
    return () => {
      clearTimeout(wait);
      abort.abort();
    };
  }, [gone]);
  const isRead = record.value !== null;
  // The live ones are known at once; reading the records of thousands of others takes a moment.
  const all = useMemo(() => withLive(record.value ?? [], live.value), [record.value, live.value]);
  const { filter, sort, down } = place;
  // What sessions do changes their rows, but not the order of the rows: nobody can read a list that moves.
  const ids = useMemo(() => [...live.value.keys()].sort().join(" "), [live.value]);
  const order = useMemo(() => new Map(sorted(all, sort, down).map((row, place) => [row.session_id, place])), [record.value, ids, sort, down]);
  const shown = useMemo(() => {
    const rank = (row: Row) => order.get(row.session_id) ?? -1;
    return all.filter(filterOf(filter)).sort((one, other) => rank(one) - rank(other));
  }, [all, filter, order]);
  return (
    <>
      <div class="view-head">
        <h1 tabIndex={-1}>All sessions</h1>
      </div>
      {failure.value !== null && (
        <p class="notice bad" role="alert">
          {failure.value}{" "}
          <button type="button" onClick={() => void read(new AbortController().signal)}>
            Try again
          </button>
        </p>
      )}
      {all.length === 0 && !isRead ? (
        failure.value === null && <p class="empty-page faint">Reading the sessions on record…</p>
      ) : all.length === 0 ? (
        <Nothing hint={empty.value ?? "no session is on record"} />
      ) : (
        <>
          <Filters place={place} all={all} count={shown.length} isRead={isRead || failure.value !== null} />
          <Comparison place={place} all={all} />
          <Table rows={shown} place={place} />
        </>
      )}
    </>
  );
}

const STATES: [string, string][] = [
  ["live", "live"],
  ["needs", "needs you"],
  ["working", "working"],
  ["done", "done"],
  ["idle", "idle"],
  ["ended", "ended"],
  ["abandoned", "abandoned"],
  ["imported", "imported"],
];

function Filters({ place, all, count, isRead }: { place: AllPlace; all: Row[]; count: number; isRead: boolean }) {
  const { filter } = place;
  const set = (more: Partial<RowFilter>) => refine({ ...place, filter: { ...filter, ...more } });
  const projects = useMemo(() => choices(all, (row) => row.project.name), [all]);
  const inProject = useMemo(() => (filter.project ? all.filter((row) => row.project.name === filter.project) : all), [all, filter.project]);
  const branches = useMemo(() => choices(inProject, (row) => row.branch), [inProject]);
  const roles = useMemo(() => choices(all, (row) => row.role), [all]);
  const isFiltered = Object.values(filter).some(Boolean);
  return (
    <form class="tools" role="search" aria-label="Filter sessions" onSubmit={(event) => event.preventDefault()}>
      <label>
        <span class="hidden">Text</span>
        <input type="search" placeholder="Filter by text" data-search value={filter.text} onInput={(event) => set({ text: event.currentTarget.value })} />
      </label>
      <Choice name="Project" any="all projects" value={filter.project} values={projects} choose={(project) => set({ project, branch: "" })} />
      <Choice name="Branch" any="all branches" value={filter.branch} values={branches} choose={(branch) => set({ branch })} />
      {(roles.length > 0 || filter.role) && <Choice name="Role" any="all roles" value={filter.role} values={roles} choose={(role) => set({ role })} />}
      <label>
        <span class="hidden">State</span>
        <select value={filter.state} onChange={(event) => set({ state: event.currentTarget.value })}>
          <option value="">all states</option>
          {STATES.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
          {filter.state && !STATES.some(([value]) => value === filter.state) && <option value={filter.state}>{filter.state}</option>}
        </select>
      </label>
      <button type="button" disabled={!isFiltered} onClick={() => set(NO_ROW_FILTER)}>
        Clear
      </button>
      <span class="faint num" role="status">
        {count === all.length ? plural(count, "session") : `${grouped(count)} of ${plural(all.length, "session")}`}
        {isRead || ", reading the others…"}
      </span>
    </form>
  );
}

/** How many values a list offers at most; the address accepts any value. */
const OFFERED = 300;

function Choice({ name, any, value, values, choose }: { name: string; any: string; value: string; values: [string, number][]; choose: (value: string) => void }) {
  const isKnown = value === "" || values.slice(0, OFFERED).some(([known]) => known === value);
  return (
    <label>
      <span class="hidden">{name}</span>
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">{any}</option>
        {!isKnown && <option value={value}>{value}</option>}
        {values.slice(0, OFFERED).map(([known, count]) => (
          <option key={known} value={known}>
            {known} ({grouped(count)})
          </option>
        ))}
      </select>
    </label>
  );
}

/** The sessions that are chosen for a comparison. */
function Comparison({ place, all }: { place: AllPlace; all: Row[] }) {
  const [one, other] = place.compare;
  if (one === undefined) return null;
  const name = (id: string) => {
    const row = all.find((row) => row.session_id === id);
    return row ? nameOf(row) : id;
  };
  return (
    <p class="notice comparison" role="status">
      <span>
        Compare <Text>{name(one)}</Text>
        {other === undefined ? " with another session: choose it in the table." : <> with <Text>{name(other)}</Text>.</>}
      </span>
      {other !== undefined && (
        <a class="button primary" href={pathOf({ view: "compare", one, other })}>
          Compare
        </a>
      )}
      <button type="button" onClick={() => refine({ ...place, compare: [] })}>
        Cancel
      </button>
    </p>
  );
}

function Table({ rows, place }: { rows: Row[]; place: AllPlace }) {
  const { sort, down, compare } = place;
  const [most, setMost] = useState(STEP);
  const end = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLTableSectionElement>(null);
  const hasMore = most < rows.length;
  useEffect(() => setMost(STEP), [place.filter, sort, down]);
  useEffect(() => {
    if (!end.current || !hasMore) return;
    const watch = new IntersectionObserver(([entry]) => entry?.isIntersecting && setMost((most) => most + STEP), { rootMargin: "1200px" });
    watch.observe(end.current);
    return () => watch.disconnect();
  }, [hasMore, most]);
  const by = (key: RowSort) => refine({ ...place, sort: key, down: sort === key ? !down : startsDown(key) });
  const toggle = (id: string) => {
    // A row keeps the first `toggle` that it was given, so `toggle` must read the current choice.
    const now = current.peek();
    if (now.view !== "all") return;
    const rest = now.compare.filter((chosen) => chosen !== id);
    // A third one takes the place of the second.
    refine({ ...now, compare: rest.length < now.compare.length ? rest : [...now.compare.slice(0, 1), id] });
  };
  const key = (event: KeyboardEvent) => {
    const row = (event.target as Element).closest("tr");
    const by = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (!row || by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = [...body.current!.rows];
    const next = all[Math.min(all.length - 1, Math.max(0, all.indexOf(row as HTMLTableRowElement) + by))];
    event.preventDefault();
    next?.querySelector<HTMLElement>("a")?.focus();
  };
  if (rows.length === 0) {
    return (
      <p class="empty">
        No session matches the filter.{" "}
        <button type="button" onClick={() => go({ ...ALL, compare })}>
          Show all
        </button>
      </p>
    );
  }
  return (
    <div class="part flush">
      <div class="table-scroll">
        <table role="table" class="grid rows-grid" aria-label="All sessions" aria-rowcount={rows.length + 1}>
          <thead role="rowgroup">
            <tr role="row">
              <th role="columnheader" scope="col" class="pick">
                <span class="hidden">Compare</span>
              </th>
              {HEADS.map(({ key, name, right }) => (
                <th key={key} role="columnheader" scope="col" class={`${right ? "right " : ""}head-${key}`} aria-sort={sort === key ? (down ? "descending" : "ascending") : "none"}>
                  <button type="button" onClick={() => by(key)}>
                    {name}
                    <span aria-hidden="true" class="arrow">
                      {sort === key ? (down ? " ↓" : " ↑") : ""}
                    </span>
                  </button>
                </th>
              ))}
              <th role="columnheader" scope="col" class="right head-length">
                Length
              </th>
            </tr>
          </thead>
          <tbody role="rowgroup" ref={body} onKeyDown={key}>
            {rows.slice(0, most).map((row, i) => (
              <SessionRow key={row.session_id} row={row} at={i + 2} isChosen={compare.includes(row.session_id)} toggle={toggle} />
            ))}
          </tbody>
        </table>
      </div>
      <div ref={end} />
      {hasMore && (
        <p class="more-rows">
          <button type="button" onClick={() => setMost(most + STEP)}>
            Show more ({grouped(rows.length - most)} left)
          </button>
        </p>
      )}
    </div>
  );
}

const SessionRow = memo(
  function SessionRow({ row, at, isChosen, toggle }: { row: Row; at: number; isChosen: boolean; toggle: (id: string) => void }) {
    const purpose = [row.role, row.focus].filter(Boolean).join(" · ");
    const [start, last] = [parseIso(row.started_at), parseIso(row.ended_at ?? row.last_at)];
    const place = placeOf(row);
    return (
      <tr role="row" aria-rowindex={at}>
        <td role="cell" class="pick">
          <input type="checkbox" checked={isChosen} onChange={() => toggle(row.session_id)} aria-label={`Compare ${nameOf(row)}`} />
        </td>
        <th role="rowheader" scope="row" class="what" title={row.session_id}>
          <a href={pathOf({ view: "session", id: row.session_id })}>
            <Text>{nameOf(row)}</Text>
          </a>
          {purpose && (
            <span class="faint purpose">
              <Text>{purpose}</Text>
            </span>
          )}
        </th>
        <td role="cell" class="cut cell-project" title={row.project.directory}>
          <Text>{row.project.name}</Text>
        </td>
        <td role="cell" class="cut soft cell-branch" title={row.branch ?? undefined}>
          <Text>{row.branch ?? ""}</Text>
        </td>
        <td role="cell" class="cell-state">
          <span class={`chip chip-${row.column ?? row.state}`}>
            {place}
            {row.column === "needs" && row.waits_for && ` · ${row.waits_for}`}
          </span>
        </td>
        <td role="cell" class="num cell-start">
          <Time us={start} only="minute" />
        </td>
        <td role="cell" class="num cell-last">
          <Age at={row.last_at} /> ago
        </td>
        <td role="cell" class="num right cell-length">{duration(Math.max(0, (last - start) / 1000))}</td>
      </tr>
    );
  },
  (one, other) => one.row === other.row && one.at === other.at && one.isChosen === other.isChosen,
);
