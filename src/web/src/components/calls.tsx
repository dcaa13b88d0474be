// The table of calls: the same data as the picture, sorted and filtered; unfiltered and in order of time, it is a tree.
import { useComputed, useSignal, useSignalEffect, type ReadonlySignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Call } from "../calls.ts";
import { brief, grouped, plural, toolName } from "../format.ts";
import { agentName, labelOf, type Session } from "../model.ts";
import { tree, type Row } from "../tree.ts";
import { duration } from "../time.ts";
import { Scroll, State, Text, Time, Took } from "./parts.tsx";
import { isPrinted } from "./theme.tsx";
import { matches, NO_FILTER, type SortKey, type ViewState } from "./view.ts";

/** How many rows are in one `tbody` of the table. */
const CHUNK = 100;
/** More rows than this are shown only on request. */
const PAGE = 10_000;

const COLUMNS: { key: SortKey; name: string; number?: boolean }[] = [
  { key: "start", name: "Start" },
  { key: "tool", name: "Tool" },
  { key: "agent", name: "By" },
  { key: "state", name: "State" },
  { key: "permission", name: "Permission", number: true },
  { key: "wait", name: "Wait", number: true },
  { key: "duration", name: "Duration", number: true },
];

const ORDER: Record<Call["state"], number> = { failed: 0, denied: 1, abandoned: 2, running: 3, backgrounded: 4, ok: 5 };

function compare(key: SortKey, session: Session): (one: Call, other: Call) => number {
  const number = (of: (call: Call) => number | null) => (one: Call, other: Call) => (of(one) ?? -1) - (of(other) ?? -1);
  const text = (of: (call: Call) => string) => (one: Call, other: Call) => of(one).localeCompare(of(other));
  switch (key) {
    case "start":
      return number((call) => call.index);
    case "duration":
      return number((call) => call.duration);
    case "wait":
      return number((call) => call.wait);
    case "permission":
      return number((call) => call.permission);
    case "tool":
      return text((call) => toolName(call.tool));
    case "agent":
      return text((call) => agentName(session, call.agent));
    case "state":
      return number((call) => ORDER[call.state]);
  }
}

export function Calls({ session, state }: { session: ReadonlySignal<Session>; state: ViewState }) {
  const filtered = useComputed(() => {
    const now = session.value;
    const filter = state.filter.value;
    const names = new Map<string | null, string>();
    const name = (id: string | null) => {
      const known = names.get(id);
      if (known !== undefined) return known;
      const made = agentName(now, id);
      names.set(id, made);
      return made;
    };
    return filter === NO_FILTER ? now.calls : now.calls.filter(matches(filter, name));
  });
  const rows = useComputed<Row[]>(() => {
    const now = session.value;
    const { key, down } = state.sort.value;
    if (key === "start" && !down && filtered.value === now.calls) return tree(now.page, now.calls);
    const by = compare(key, now);
    const way = down ? -1 : 1;
    const sorted = [...filtered.value].sort((one, other) => way * by(one, other) || one.index - other.index);
    return sorted.map((call) => ({ kind: "call", call, depth: 0, agent: null }));
  });
  if (session.value.page.calls_left_out) {
    return (
      <p class="empty">
        This report has too many calls for one file, so it leaves out those of its oldest sessions. To see these, run{" "}
        <code>ccsession report {session.value.page.session_id}</code>.
      </p>
    );
  }
  return (
    <div class="calls">
      <Filters session={session.value} state={state} count={filtered.value.length} />
      <Table rows={rows} session={session} state={state} />
    </div>
  );
}

function Filters({ session, state, count }: { session: Session; state: ViewState; count: number }) {
  const filter = state.filter.value;
  const set = (more: Partial<typeof filter>) => {
    const next = { ...filter, ...more };
    const isNone = !next.text && !next.tool && !next.state && !next.agent;
    state.filter.value = isNone ? NO_FILTER : next;
  };
  const tools = useMemo(() => {
    const counts = new Map<string, number>();
    for (const { tool } of session.calls) if (tool !== null) counts.set(tool, (counts.get(tool) ?? 0) + 1);
    return [...counts].sort((one, other) => other[1] - one[1]);
  }, [session]);
  const all = session.calls.length;
  return (
    <div class="tools" role="search" aria-label="Filter calls">
      <label>
        <span class="hidden">Text</span>
        <input
          type="search"
          placeholder="Filter by text"
          value={filter.text}
          onInput={(event) => set({ text: event.currentTarget.value })}
        />
      </label>
      <label>
        <span class="hidden">Tool</span>
        <select value={filter.tool} onChange={(event) => set({ tool: event.currentTarget.value })}>
          <option value="">all tools</option>
          {tools.map(([tool, calls]) => (
            <option key={tool} value={tool}>
              {toolName(tool)} ({grouped(calls)})
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="hidden">State</span>
        <select value={filter.state} onChange={(event) => set({ state: event.currentTarget.value })}>
          <option value="">all states</option>
          <option value="problem">problems</option>
          {Object.keys(ORDER).map((word) => (
            <option key={word} value={word}>
              {word}
            </option>
          ))}
        </select>
      </label>
      {session.page.agents.length > 0 && (
        <label>
          <span class="hidden">Made by</span>
          <select value={filter.agent} onChange={(event) => set({ agent: event.currentTarget.value })}>
            <option value="">everybody</option>
            <option value="main">main thread</option>
            {session.page.agents.map((agent) => (
              <option key={agent.agent_id} value={agent.agent_id}>
                {agent.agent_type ?? "subagent"} {agent.agent_id.slice(0, 8)}
              </option>
            ))}
          </select>
        </label>
      )}
      <button type="button" disabled={filter === NO_FILTER} onClick={() => (state.filter.value = NO_FILTER)}>
        Clear
      </button>
      <span class="faint num" role="status">
        {count === all ? plural(all, "call") : `${grouped(count)} of ${plural(all, "call")}`}
      </span>
    </div>
  );
}

function Table({ rows, session, state }: { rows: ReadonlySignal<Row[]>; session: ReadonlySignal<Session>; state: ViewState }) {
  const table = useRef<HTMLTableElement>(null);
  const ready = useSignal(1);
  const most = useSignal(PAGE);
  const now = rows.value;
  const shown = Math.min(now.length, most.value);
  const chunks = useMemo(() => {
    const made: Row[][] = [];
    for (let i = 0; i < shown; i += CHUNK) made.push(now.slice(i, Math.min(shown, i + CHUNK)));
    return made;
  }, [now, shown]);

  // The first rows are there at once, the others as soon as there is time.
  useEffect(() => {
    ready.value = Math.min(2, chunks.length);
    let timer = 0;
    const more = () => {
      const start = performance.now();
      ready.value = Math.min(chunks.length, ready.value + (start - last > 60 ? 2 : 5));
      last = start;
      if (ready.value < chunks.length) timer = setTimeout(more, 16) as unknown as number;
    };
    let last = performance.now();
    if (ready.value < chunks.length) timer = setTimeout(more, 120) as unknown as number;
    return () => clearTimeout(timer);
  }, [chunks]);

  const rowOf = (index: number) => table.current?.querySelector<HTMLElement>(`tr[data-call="${index}"]`) ?? null;
  useSignalEffect(() => {
    const index = state.reveal.value;
    if (index === null) return;
    state.reveal.value = null;
    const place = rows.peek().findIndex((row) => row.kind === "call" && row.call.index === index);
    if (place < 0) {
      // A filter hides it.
      state.filter.value = NO_FILTER;
      state.reveal.value = index;
      return;
    }
    if (place >= most.peek()) most.value = place + CHUNK;
    ready.value = Math.max(ready.peek(), Math.floor(place / CHUNK) + 1);
    requestAnimationFrame(() => {
      const row = rowOf(index);
      row?.scrollIntoView({ block: "center" });
      row?.focus({ preventScroll: true });
    });
  });
  // The current row's class is set here, so that moving to another row does not draw the table again.
  useSignalEffect(() => {
    const index = state.selected.value;
    for (const row of table.current?.querySelectorAll("tr.current") ?? []) row.classList.remove("current");
    if (index !== null) rowOf(index)?.classList.add("current");
  });

  const focus = (event: FocusEvent) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>("tr[data-call]");
    if (row) state.selected.value = Number(row.dataset.call);
  };
  const key = (event: KeyboardEvent) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>("tr[data-call]");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const calls = [...table.current!.querySelectorAll<HTMLElement>("tr[data-call]")];
    const at = calls.indexOf(row);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 20, PageUp: at - 20, Home: 0, End: calls.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    calls[Math.min(calls.length - 1, Math.max(0, to))]?.focus();
  };
  const sort = state.sort.value;
  const choose = (column: SortKey, isNumber: boolean) => {
    const same = sort.key === column;
    state.sort.value = { key: column, down: same ? !sort.down : isNumber };
  };
  return (
    <>
      <Scroll label="Calls">
        <table
          ref={table}
          role="table"
          class="grid calls-grid"
          aria-label="Calls"
          aria-rowcount={now.length + 1}
          onFocusIn={focus}
          onKeyDown={key}
        >
          <thead role="rowgroup">
            <tr role="row">
              {COLUMNS.map(({ key, name, number }, at) => (
                <>
                  <th
                    key={key}
                    role="columnheader"
                    scope="col"
                    class={number ? "right" : ""}
                    aria-sort={sort.key === key ? (sort.down ? "descending" : "ascending") : "none"}
                  >
                    <button type="button" onClick={() => choose(key, number ?? false)}>
                      {name}
                      <span aria-hidden="true" class="arrow">
                        {sort.key === key ? (sort.down ? " ↓" : " ↑") : ""}
                      </span>
                    </button>
                  </th>
                  {at === 1 && (
                    <th key="what" role="columnheader" scope="col">
                      What
                    </th>
                  )}
                </>
              ))}
            </tr>
          </thead>
          {chunks.slice(0, ready.value).map((chunk, i) => (
            <Chunk key={i} rows={chunk} session={session.value} first={i === 0} />
          ))}
        </table>
      </Scroll>
      {now.length === 0 && <p class="empty">{session.value.calls.length ? "No call matches the filter." : "This session made no call."}</p>}
      {shown < now.length && (
        <p>
          <button type="button" onClick={() => (most.value += PAGE)}>
            Show {grouped(Math.min(PAGE, now.length - shown))} more of {grouped(now.length - shown)} rows
          </button>
        </p>
      )}
    </>
  );
}

/** A part of the table. Its rows are made again only if they change. */
function Chunk({ rows, session, first }: { rows: Row[]; session: Session; first: boolean }) {
  const kept = useRef<{ rows: Row[]; first: boolean; made: ReturnType<typeof chunk> } | null>(null);
  const before = kept.current;
  if (before && before.first === first && isSame(before.rows, rows)) return before.made;
  const made = chunk(rows, session, first);
  kept.current = { rows, first, made };
  return made;
}

/** Returns whether two lists have the same rows. A call that did not change is the same object in both. */
function isSame(before: Row[], now: Row[]): boolean {
  return (
    before === now ||
    (before.length === now.length &&
      now.every((row, i) => {
        const other = before[i]!;
        if (row.kind === "call") {
          if (other.kind !== "call" || row.call !== other.call || row.depth !== other.depth) return false;
          return row.agent === other.agent || JSON.stringify(row.agent?.subtree) === JSON.stringify(other.agent?.subtree);
        }
        return other.kind === "prompt" && row.calls === other.calls && JSON.stringify(row.prompt) === JSON.stringify(other.prompt);
      }))
  );
}

function chunk(rows: Row[], session: Session, first: boolean) {
  let isFirst = first;
  return (
    <tbody role="rowgroup" style={{ containIntrinsicSize: `auto ${rows.length * 28}px` }}>
      {rows.map((row) => {
        if (row.kind === "prompt") return <PromptRow key={row.key} row={row} days={session.days} />;
        const reachable = isFirst;
        isFirst = false;
        return <CallRow key={row.call.index} row={row} session={session} reachable={reachable} />;
      })}
    </tbody>
  );
}

function PromptRow({ row, days }: { row: Extract<Row, { kind: "prompt" }>; days: boolean }) {
  const { prompt, number, calls } = row;
  const took = prompt.ended === null ? null : (prompt.ended[1] - prompt.at[1]) / 1000;
  const words = prompt.notification ? "background task ended" : `prompt ${number}`;
  const ended = { stopped: "", open: "open", failed: "failed", interrupted: "interrupted" }[prompt.end];
  return (
    <tr role="row" class={prompt.notification ? "prompt notification" : "prompt"}>
      <th role="rowheader" scope="rowgroup" colSpan={8}>
        <Time us={prompt.at[0]} only={days ? "minute" : "time"} />
        <span class="prompt-name">{words}</span>
        <span class="prompt-text">
          <Text>{prompt.what ?? prompt.task_id ?? ""}</Text>
        </span>
        {ended && !prompt.notification && (
          <span class={prompt.end === "failed" ? "state state-failed" : "faint"}>
            {prompt.end === "failed" ? "✕ " : ""}
            {ended}
            {prompt.error ? ` ${prompt.error}` : ""}
          </span>
        )}
        <span class="faint num prompt-sums">
          {plural(calls, "call")}
          {took !== null && `, ${duration(took)}`}
        </span>
      </th>
    </tr>
  );
}

const DEPTHS = ["", "d1", "d2", "d3", "d4", "d5", "d6"];

function CallRow({ row, session, reachable }: { row: Extract<Row, { kind: "call" }>; session: Session; reachable: boolean }) {
  const { call, depth, agent } = row;
  const subtree = agent?.subtree;
  return (
    <tr role="row" data-call={call.index} tabIndex={reachable ? 0 : -1} class={`call ${call.state} ${DEPTHS[depth] ?? ""}`}>
      <td role="cell" class="num faint">
        <Time us={call.started[0]} only="time" />
      </td>
      <td role="cell" class="tool">
        <Text>{toolName(call.tool)}</Text>
      </td>
      <td role="cell" class="what" title={call.what ?? undefined}>
        {call.error && (
          <span class="error">
            <Text>{call.error}</Text>
          </span>
        )}
        <Text>{labelOf(session, call, 90)}</Text>
        {subtree && (
          <span class="faint num subtree">
            {plural(subtree.calls, "call")}
            {subtree.failed > 0 && `, ${grouped(subtree.failed)} failed`}
            {subtree.tokens > 0 && `, ${brief(subtree.tokens)} tokens`}
          </span>
        )}
      </td>
      <td role="cell" class="faint by">
        <Text>{call.agent === null ? "" : agentName(session, call.agent)}</Text>
      </td>
      <td role="cell">
        <State state={call.state} />
      </td>
      <td role="cell" class="num right">
        <Took ms={call.permission} />
      </td>
      <td role="cell" class="num right faint">
        <Took ms={call.wait !== null && call.wait > 0 ? call.wait : null} />
      </td>
      <td role="cell" class="num right">
        <Took ms={call.duration} />
      </td>
    </tr>
  );
}

/** Lists what went wrong. */
export function Problems({ session, state }: { session: Session; state: ViewState }) {
  const all = useSignal(false);
  const { problems, page } = session;
  const failedTurns = page.prompts.filter((prompt) => prompt.end === "failed");
  if (problems.length === 0 && failedTurns.length === 0) {
    return <p class="good">Nothing failed, was denied or was abandoned.</p>;
  }
  const shown = all.value || isPrinted() ? problems : problems.slice(0, 8);
  return (
    <>
      {failedTurns.map((prompt) => (
        <p class="turn-failed" key={prompt.at[0]}>
          <span class="state state-failed">✕ turn failed</span> {prompt.error && <Text>{prompt.error}</Text>}{" "}
          <Time us={prompt.at[0]} only="time" /> <Text>{prompt.what ?? ""}</Text>
        </p>
      ))}
      <ul class="problems">
        {shown.map((call) => (
          <li key={call.index}>
            <button type="button" class="row-link" onClick={() => (state.reveal.value = call.index)}>
              <State state={call.state} />
              <span class="num faint">
                <Time us={call.started[0]} only={session.days ? "minute" : "time"} />
              </span>
              <span class="tool">
                <Text>{toolName(call.tool)}</Text>
              </span>
              <span class="what">
                <Text>{labelOf(session, call, 80)}</Text>
              </span>
              {call.error && (
                <span class="error">
                  <Text>{call.error}</Text>
                </span>
              )}
              <span class="faint by">
                <Text>{agentName(session, call.agent)}</Text>
              </span>
              <span class="num right">
                <Took ms={call.duration ?? call.permission} />
              </span>
            </button>
          </li>
        ))}
      </ul>
      {shown.length < problems.length && (
        <button type="button" onClick={() => (all.value = true)}>
          Show all {grouped(problems.length)}
        </button>
      )}
    </>
  );
}
