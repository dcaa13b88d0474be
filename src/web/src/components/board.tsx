// The board: the live sessions in four columns, by what a person has to do with them.
import { memo } from "../memo.ts";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { brief, grouped, plural } from "../format.ts";
import { connection, hint, known, rows } from "../live.ts";
import { COLUMNS, columns, nameOf, type Column, type Row } from "../rows.ts";
import { pathOf } from "../route.ts";
import { askClockOut } from "./clock-out.tsx";
import { keysOn } from "./help.tsx";
import { Nothing } from "./hint.tsx";
import { Age } from "./live.tsx";
import { Text } from "./parts.tsx";

export function Board() {
  const now = useMemo(() => columns(rows.value.values()), [rows.value]);
  const count = rows.value.size;
  const place = useRef<HTMLDivElement>(null);
  useRovingFocus(place, rows.value);
  if (!known.value) {
    const words = connection.value.is === "connecting" ? "Reading the live sessions…" : "The live sessions are not known.";
    return (
      <>
        <h1 class="hidden" tabIndex={-1}>
          Board
        </h1>
        <p class="empty-page faint">{words}</p>
      </>
    );
  }
  return (
    <>
      <h1 class="hidden" tabIndex={-1}>
        Board
      </h1>
      {count === 0 ? (
        <Nothing hint={hint.value ?? "no session is live"} more="A session appears here as soon as Claude Code starts in a project." />
      ) : (
        <div class="board" ref={place} onKeyDown={(event) => move(event, place.current!)} onFocusIn={(event) => rove(event, place.current!)}>
          {COLUMNS.map(({ key, name, empty }) => (
            <BoardColumn key={key} column={key} name={name} empty={empty} rows={now[key]} />
          ))}
        </div>
      )}
    </>
  );
}

const MOST = 100;

const BoardColumn = memo(function BoardColumn({ column, name, empty, rows }: { column: Column; name: string; empty: string; rows: Row[] }) {
  return (
    <section class={`column column-${column}${rows.length ? "" : " is-empty"}`} aria-labelledby={`column-${column}`}>
      <h2 id={`column-${column}`}>
        {name} <span class="number num">{grouped(rows.length)}</span>
      </h2>
      {rows.length === 0 ? (
        <p class="column-empty">{empty}</p>
      ) : (
        <ul class="cards">
          {rows.slice(0, MOST).map((row) => (
            <Card key={row.session_id} row={row} />
          ))}
        </ul>
      )}
      {rows.length > MOST && (
        <p class="more-cards">
          <a href={pathOf({ view: "all", filter: { text: "", project: "", branch: "", role: "", state: column }, sort: "last", down: true, compare: [] })}>
            {grouped(rows.length - MOST)} more
          </a>
        </p>
      )}
    </section>
  );
}, sameRows);

function sameRows(one: { rows: Row[] }, other: { rows: Row[] }): boolean {
  return one.rows.length === other.rows.length && one.rows.every((row, i) => row === other.rows[i]);
}

/** Returns the words before the time: what the session waits for, or what it does. */
function doingOf(row: Row): string {
  if (row.column === "needs") return row.waits_for ?? "waits";
  if (row.column === "working") return row.doing === null ? "thinking" : "";
  if (row.column === "done") return row.waits_for ?? "your turn";
  return "last active";
}

const Card = memo(function Card({ row }: { row: Row }) {
  const words = doingOf(row);
  const address = pathOf({ view: "session", id: row.session_id });
  const purpose = [row.role, row.focus].filter(Boolean).join(" · ");
  return (
    <li class={`card card-${row.column}`} data-card={row.session_id}>
      <h3>
        <a href={address} data-focus>
          <Text>{nameOf(row)}</Text>
        </a>
      </h3>
      <p class="where">
        <span title={row.project.directory}>
          <Text>{row.project.name}</Text>
        </span>
        {row.branch && (
          <span class="branch-name" title={`branch ${row.branch}`}>
            <Text>{row.branch}</Text>
          </span>
        )}
      </p>
      {purpose && (
        <p class="purpose" title={purpose}>
          <Text>{purpose}</Text>
        </p>
      )}
      <p class="doing">
        {words && <strong class="need">{words}</strong>}
        {row.doing && (
          <span class="doing-what" title={row.doing}>
            <Text>{row.doing}</Text>
          </span>
        )}
        <span class="since">
          <Age at={row.since} title="since" />
        </span>
      </p>
      <p class="sums">
        {row.calls !== null && <span>{plural(row.calls, "call")}</span>}
        {row.failed !== null && row.failed > 0 && <span class="error">✕ {grouped(row.failed)} failed</span>}
        {row.tokens !== null && <span title={`${grouped(row.tokens)} tokens`}>{brief(row.tokens)} tokens</span>}
        {row.subagents !== null && row.subagents > 0 && <span>{plural(row.subagents, "subagent")}</span>}
        <button type="button" class="quiet" tabIndex={-1} data-action title={`Clock out ${nameOf(row)}`} onClick={() => askClockOut(row)}>
          Clock out<span class="hidden"> {nameOf(row)}</span>
        </button>
      </p>
    </li>
  );
});

// Focus: Tab reaches one card of the board; the arrow keys move on from there.

const links = (within: Element) => [...within.querySelectorAll<HTMLElement>("[data-focus]")];

/** Lets Tab reach one card and its button, and no other card. */
function choose(board: HTMLElement, chosen: HTMLElement | undefined): void {
  for (const link of links(board)) {
    const isChosen = link === chosen;
    link.tabIndex = isChosen ? 0 : -1;
    const action = link.closest("[data-card]")?.querySelector<HTMLElement>("[data-action]");
    if (action) action.tabIndex = isChosen ? 0 : -1;
  }
}

function useRovingFocus(place: { current: HTMLElement | null }, shown: unknown): void {
  const last = useRef<string | undefined>(undefined);
  const isWithin = useRef(false);
  useEffect(() => {
    const board = place.current;
    if (!board) return;
    const all = links(board);
    const current = all.find((link) => link === document.activeElement) ?? all.find((link) => cardOf(link) === last.current);
    const chosen = current ?? all[0];
    last.current = chosen && cardOf(chosen);
    choose(board, chosen);
    // A card that moved to another column keeps the focus.
    if (isWithin.current && document.activeElement === document.body) chosen?.focus({ preventScroll: true });
  }, [shown]);
  useEffect(() => {
    const remember = (event: FocusEvent) => {
      const id = event.target instanceof Element ? cardOf(event.target) : undefined;
      isWithin.current = id !== undefined;
      if (id) last.current = id;
    };
    const forget = () => (isWithin.current = false);
    document.addEventListener("focusin", remember);
    document.addEventListener("pointerdown", forget);
    return () => {
      document.removeEventListener("focusin", remember);
      document.removeEventListener("pointerdown", forget);
    };
  }, []);
}

function cardOf(element: Element): string | undefined {
  return element.closest<HTMLElement>("[data-card]")?.dataset["card"];
}

function rove(event: FocusEvent, board: HTMLElement): void {
  const card = (event.target as Element).closest("[data-card]");
  const link = card && links(card)[0];
  if (link) choose(board, link);
}

const LETTERS: Record<string, string> = { j: "ArrowDown", k: "ArrowUp", h: "ArrowLeft", l: "ArrowRight" };

function move(event: KeyboardEvent, board: HTMLElement): void {
  const card = (event.target as Element).closest("[data-card]");
  if (!card || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const key = (keysOn.peek() && LETTERS[event.key]) || event.key;
  const lists = [...board.querySelectorAll(".column")].map(links).filter((list) => list.length > 0);
  const link = links(card)[0]!;
  const column = lists.findIndex((list) => list.includes(link));
  const list = lists[column]!;
  const at = list.indexOf(link);
  const within = (length: number, to: number) => Math.min(length - 1, Math.max(0, to));
  const beside = (by: number) => {
    const next = lists[within(lists.length, column + by)]!;
    return next[within(next.length, at)];
  };
  const steps: Record<string, () => HTMLElement | undefined> = {
    ArrowDown: () => list[within(list.length, at + 1)],
    ArrowUp: () => list[within(list.length, at - 1)],
    ArrowRight: () => beside(1),
    ArrowLeft: () => beside(-1),
    Home: () => list[0],
    End: () => list[list.length - 1],
  };
  const to = Object.hasOwn(steps, key) ? steps[key]!() : undefined;
  if (!to) return;
  event.preventDefault();
  to.focus();
}
