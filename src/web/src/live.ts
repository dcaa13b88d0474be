// The live sessions, as the server streams them; all views share them.
import { computed, effect, signal } from "@preact/signals";
import { setClock } from "./clock.ts";
import { changed, nameOf, newNeeds, type Board, type Row, type RowsChange } from "./rows.ts";
import type { ServerEvent } from "./sse.ts";
import { openStream, type Connection, type Stream } from "./stream.ts";

export const rows = signal<ReadonlyMap<string, Row>>(new Map());
/** False until the server has sent the first board. */
export const known = signal(false);
/** Why the server could not read the sessions the last time; null if it could. */
export const fault = signal<string | null>(null);
export const hint = signal<string | null>(null);
/** Increases when sessions leave the board, so that the list of all sessions knows when to ask again. */
export const departures = signal(0);
/** What a screen reader says when a session begins to need a person. */
export const announcement = signal("");

const stream = signal<Stream | null>(null);
export const connection = computed<Connection>(() => stream.value?.connection.value ?? { is: "closed" });
export const needing = computed(() => [...rows.value.values()].filter((row) => row.column === "needs").length);
/** Whether the view's own stream is live; true for views that have none. */
export const viewIsLive = signal(true);
/** Only if this is true does the page say that it is live. */
export const isLive = computed(() => connection.value.is === "live" && fault.value === null && viewIsLive.value);

function announce(before: ReadonlyMap<string, Row>, after: ReadonlyMap<string, Row>) {
  const added = newNeeds(before, after);
  if (added.length > 3) announcement.value = `${added.length} more sessions need you.`;
  else if (added.length > 0) {
    announcement.value = added.map((row) => `${nameOf(row)} needs you: ${row.waits_for ?? ""}${row.doing ? `, ${row.doing}` : ""}.`).join(" ");
  }
}

function take({ name, data }: ServerEvent): void {
  if (name !== "board" && name !== "rows") return;
  const message = JSON.parse(data) as Board | RowsChange;
  setClock(message.now);
  fault.value = message.live ? null : (message.fault ?? "the reason is unknown");
  hint.value = message.hint;
  const before = rows.peek();
  if ("sessions" in message) {
    const after = new Map(message.sessions.map((row) => [row.session_id, row]));
    if (known.peek()) {
      announce(before, after);
      if ([...before.keys()].some((id) => !after.has(id))) departures.value++;
    }
    rows.value = after;
    known.value = true;
  } else {
    rows.value = changed(before, message);
    announce(before, rows.peek());
    if (message.gone.length > 0) departures.value++;
  }
}

export function retry(): void {
  stream.peek()?.retry();
}

/** The name of the lock that lets one hidden page stay live. */
const HIDDEN = "ccsession-hidden-page";

/**
 * Keeps the board live. Browsers allow six connections to a server, for all pages together, so only
 * one hidden page keeps its stream; its title still shows the number of sessions that need you.
 */
export function keepLive(): void {
  let release: (() => void) | null = null;
  const open = () => {
    stream.value ??= openStream("/api/events", take);
  };
  const close = () => {
    stream.peek()?.close();
    stream.value = null;
  };
  const look = () => {
    if (!document.hidden) {
      release?.();
      release = null;
      open();
      return;
    }
    void navigator.locks?.request(HIDDEN, { ifAvailable: true }, (lock) => {
      if (!document.hidden) return;
      if (lock === null) return close();
      return new Promise<void>((resolve) => (release = resolve));
    });
  };
  document.addEventListener("visibilitychange", look);
  // A page in the browser's back/forward cache must not hold a connection.
  addEventListener("pagehide", close);
  addEventListener("pageshow", look);
  look();
}

/** Puts the number of sessions that need a person before the title, while it is known. */
export function keepTitle(title: () => string): void {
  effect(() => {
    const count = connection.value.is === "live" ? needing.value : 0;
    document.title = `${count > 0 ? `(${count}) ` : ""}${title()}`;
  });
}
