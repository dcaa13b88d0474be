// Several sessions at a glance: sums, calendar, tools, and a table in which each leads to its page.
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { readCalls, type Call } from "../calls.ts";
import { brief, grouped, plural } from "../format.ts";
import { parseIso } from "../time.ts";
import type { PageData, SessionPage } from "../types.ts";
import { Calendar, Hours } from "./calendar.tsx";
import { SessionState, titleOf, tokensOf } from "./heading.tsx";
import { Fact, Scroll, Section, Text, Time, Took } from "./parts.tsx";
import { Tools } from "./tools.tsx";

/** More calls than this are not drawn as points. */
const MOST_POINTS = 60_000;

/** How many rows are shown at once. */
const PAGE = 500;

type Key = "title" | "project" | "branch" | "state" | "started" | "took" | "calls" | "failed" | "permission" | "tokens";

const COLUMNS: { key: Key; name: string; number?: boolean }[] = [
  { key: "title", name: "Session" },
  { key: "project", name: "Project" },
  { key: "branch", name: "Branch" },
  { key: "state", name: "State" },
  { key: "started", name: "Start" },
  { key: "took", name: "Length", number: true },
  { key: "calls", name: "Calls", number: true },
  { key: "failed", name: "Failed", number: true },
  { key: "permission", name: "Permission", number: true },
  { key: "tokens", name: "Tokens", number: true },
];

interface Row {
  page: SessionPage;
  title: string;
  project: string;
  branch: string;
  state: string;
  started: number;
  took: number;
  calls: number;
  failed: number;
  permission: number;
  tokens: number;
}

function rowOf(page: SessionPage): Row {
  const [first, last] = page.span ?? [null, null];
  return {
    page,
    title: titleOf(page),
    project: page.project?.name ?? "",
    branch: page.branch ?? "",
    state: page.attention.state === "none" ? page.state : `0${page.attention.state}`,
    started: parseIso(page.started_at),
    took: first && last ? (last[1] - first[1]) / 1000 : 0,
    calls: page.stats.calls,
    failed: page.stats.failed,
    permission: page.stats.permission_ms,
    tokens: tokensOf(page).all,
  };
}

export function Overview({ data }: { data: PageData }) {
  const rows = useMemo(() => data.sessions.map(rowOf), [data]);
  const { stats } = data;
  const projects = new Set(rows.map((row) => row.project));
  const tokens = rows.reduce((sum, row) => sum + row.tokens, 0);
  // The points of all calls are drawn after the rest of the page.
  const calls = useSignal<Call[]>([]);
  useEffect(() => {
    if (!stats || stats.calls > MOST_POINTS) return;
    const timer = setTimeout(() => (calls.value = data.sessions.flatMap((page) => readCalls(page.calls))), 200);
    return () => clearTimeout(timer);
  }, [data]);
  return (
    <article class="session">
      <header class="heading">
        <div class="title-row">
          <h1 class="title" tabIndex={-1}>
            {plural(rows.length, "session")}
          </h1>
        </div>
        {stats && (
          <dl class="facts">
            {projects.size > 1 && (
              <Fact name="Projects">
                <b>{grouped(projects.size)}</b>
              </Fact>
            )}
            <Fact name="Calls">
              <b>{grouped(stats.calls)}</b>
              {stats.failed > 0 && <span class="sub error">{grouped(stats.failed)} failed</span>}
            </Fact>
            <Fact name="Prompts">
              <b>{grouped(stats.prompts)}</b>
            </Fact>
            <Fact name="Subagents">
              <b>{grouped(stats.agents)}</b>
            </Fact>
            <Fact name="Time in calls">
              <b>
                <Took ms={stats.total_ms} />
              </b>
            </Fact>
            <Fact name="Waited for you">
              <b>
                <Took ms={stats.permission_ms} />
              </b>
              <span class="sub">permission</span>
            </Fact>
            {tokens > 0 && (
              <Fact name="Tokens">
                <b>{brief(tokens)}</b>
              </Fact>
            )}
          </dl>
        )}
      </header>
      {stats && stats.days.length > 0 && (
        <Section id="when" title="When">
          <div class="charts">
            <Calendar days={stats.days} />
            <Hours hours={stats.hours} />
          </div>
        </Section>
      )}
      <Section id="sessions" title="Sessions">
        <Sessions rows={rows} />
      </Section>
      {stats && (
        <Section id="tools" title="Tools">
          <Tools stats={stats} calls={calls.value} />
        </Section>
      )}
    </article>
  );
}

function Sessions({ rows }: { rows: Row[] }) {
  const sort = useSignal<{ key: Key; down: boolean }>({ key: "started", down: true });
  const text = useSignal("");
  const most = useSignal(PAGE);
  const { key, down } = sort.value;
  const sorted = useMemo(() => {
    const wanted = text.value.trim().toLowerCase();
    const kept = wanted
      ? rows.filter((row) =>
          `${row.title}\n${row.project}\n${row.branch}\n${row.page.state}\n${row.page.role ?? ""}\n${row.page.focus ?? ""}\n${row.page.session_id}`
            .toLowerCase()
            .includes(wanted),
        )
      : [...rows];
    const way = down ? -1 : 1;
    return kept.sort((one, other) => {
      const [a, b] = [one[key], other[key]];
      const by = typeof a === "string" ? a.localeCompare(b as string) : a - (b as number);
      return way * by || other.started - one.started;
    });
  }, [rows, key, down, text.value]);
  const shown = sorted.slice(0, most.value);
  // A column without a value is only noise.
  const has = (key: "permission" | "tokens" | "branch") => rows.some((row) => row[key]);
  const columns = COLUMNS.filter(({ key }) => !(key === "permission" || key === "tokens" || key === "branch") || has(key));
  const isShown = (key: Key) => columns.some((column) => column.key === key);
  return (
    <>
      <div class="tools" role="search" aria-label="Filter sessions">
        <label>
          <span class="hidden">Text</span>
          <input
            type="search"
            placeholder="Filter by text"
            value={text.value}
            onInput={(event) => (text.value = event.currentTarget.value)}
          />
        </label>
        <span class="faint num" role="status">
          {sorted.length === rows.length
            ? plural(rows.length, "session")
            : `${grouped(sorted.length)} of ${plural(rows.length, "session")}`}
        </span>
      </div>
      <Scroll label="Sessions">
        <table class="grid sessions-grid" aria-label="Sessions">
          <thead>
            <tr>
              {columns.map((column) => (
                <th
                  key={column.key}
                  scope="col"
                  class={column.number ? "right" : ""}
                  aria-sort={key === column.key ? (down ? "descending" : "ascending") : "none"}
                >
                  <button
                    type="button"
                    onClick={() =>
                      (sort.value = {
                        key: column.key,
                        down: key === column.key ? !down : column.number === true || column.key === "started",
                      })
                    }
                  >
                    {column.name}
                    <span aria-hidden="true" class="arrow">
                      {key === column.key ? (down ? " ↓" : " ↑") : ""}
                    </span>
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map(({ page, ...row }) => (
              <tr key={page.session_id}>
                <th scope="row" class="what">
                  <a href={`#/session/${page.session_id}`}>
                    <Text>{row.title}</Text>
                  </a>
                </th>
                <td>
                  <Text>{row.project}</Text>
                </td>
                {isShown("branch") && (
                  <td class="faint">
                    <Text>{row.branch}</Text>
                  </td>
                )}
                <td>
                  <SessionState page={page} />
                </td>
                <td class="num">
                  <Time us={row.started} only="minute" />
                </td>
                <td class="num right">
                  <Took ms={row.took} />
                </td>
                <td class="num right">{grouped(row.calls)}</td>
                <td class={row.failed ? "num right error" : "num right"}>{row.failed ? `✕ ${grouped(row.failed)}` : ""}</td>
                {isShown("permission") && (
                  <td class="num right">
                    <Took ms={row.permission || null} />
                  </td>
                )}
                {isShown("tokens") && <td class="num right">{row.tokens ? brief(row.tokens) : ""}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {sorted.length === 0 && <p class="empty">{rows.length === 0 ? "There is no session." : "No session matches the filter."}</p>}
      {shown.length < sorted.length && (
        <button type="button" onClick={() => (most.value += PAGE)}>
          Show more ({grouped(sorted.length - shown.length)} left)
        </button>
      )}
    </>
  );
}
