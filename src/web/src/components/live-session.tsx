// A session's page that follows the session.
import { signal, useSignal, useSignalEffect, type Signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { serverNow, setClock } from "../clock.ts";
import { connection as board, viewIsLive } from "../live.ts";
import { afterChange, type SessionChange } from "../merge.ts";
import { ALL, pathOf } from "../route.ts";
import type { ServerEvent } from "../sse.ts";
import { asSentence, openStream, type Connection, type Stream } from "../stream.ts";
import { localTime, parseIso } from "../time.ts";
import type { SessionPage } from "../types.ts";
import { askClockOut } from "./clock-out.tsx";
import { titleOf } from "./heading.tsx";
import { SessionView } from "./session.tsx";

/** The title of the session that is shown, for the title of the page. */
export const shownTitle = signal<string | null>(null);

export function LiveSession({ id }: { id: string }) {
  const page = useSignal<SessionPage | null>(null);
  const now = useSignal(Date.now() * 1000);
  const connection = useSignal<Connection>({ is: "connecting" });
  /** Why the server cannot read the session now. */
  const trouble = useSignal<string | null>(null);
  const retry = useMemo(() => ({ now: () => {} }), [id]);
  useSignalEffect(() => {
    viewIsLive.value = connection.value.is === "live" && trouble.value === null;
    return () => (viewIsLive.value = true);
  });
  useEffect(() => {
    let stream: Stream | null = null;
    let stop = () => {};
    const take = ({ name, data }: ServerEvent) => {
      if (name === "gone" || name === "fault") trouble.value = asSentence((JSON.parse(data) as { error: string }).error);
      if (name !== "session" && name !== "change") return;
      trouble.value = null;
      const message = JSON.parse(data) as (SessionPage | SessionChange) & { now?: string };
      if (message.now) {
        setClock(message.now);
        now.value = parseIso(message.now);
      } else now.value = serverNow() * 1000;
      if (name === "session") page.value = message as SessionPage;
      else if (page.peek()) {
        const next = afterChange(page.peek()!, message as SessionChange);
        if (next) page.value = next;
        else stream?.retry();
      }
      shownTitle.value = page.peek() && titleOf(page.peek()!);
    };
    const open = () => {
      if (stream) return;
      stream = openStream(`/api/session/${encodeURIComponent(id)}/events`, take);
      stop = stream.connection.subscribe((is) => (connection.value = is));
      retry.now = stream.retry;
    };
    const close = () => {
      stream?.close();
      stop();
      stream = null;
    };
    // A hidden page needs no stream, and a browser has only six connections for all pages.
    const look = () => (document.hidden ? close() : open());
    document.addEventListener("visibilitychange", look);
    look();
    // A running call grows. Drawing many calls takes longer, so a page with many is drawn less often.
    let ticks = 0;
    const grow = setInterval(() => {
      const shown = page.peek();
      ticks++;
      if (!shown || shown.stats.open === 0 || connection.peek().is !== "live") return;
      if (shown.calls.tool.length <= 1000 || ticks % 5 === 0) now.value = serverNow() * 1000;
    }, 2000);
    return () => {
      clearInterval(grow);
      document.removeEventListener("visibilitychange", look);
      close();
      shownTitle.value = null;
    };
  }, [id]);
  const shown = page.value;
  const isRefused = connection.value.is === "refused";
  if (!shown) {
    const words = connection.value.is === "broken" || connection.value.is === "refused" ? connection.value.why : trouble.value;
    return (
      <section class="empty-page">
        <h1 tabIndex={-1}>{words === null ? "Session" : "This session cannot be shown"}</h1>
        {words === null ? (
          <p class="faint">Reading the session…</p>
        ) : (
          <>
            <p role="alert">{words}</p>
            <p>
              <a href={pathOf(ALL)}>All sessions</a> lists those on record.
            </p>
          </>
        )}
      </section>
    );
  }
  return (
    <>
      <SessionConnection connection={connection.value} trouble={trouble.value} retry={() => retry.now()} />
      <SessionView
        page={page as Signal<SessionPage>}
        now={now}
        linkOf={(id) => pathOf({ view: "session", id })}
        aside={
          <span class="actions">
            <a class="button" href={pathOf({ ...ALL, compare: [id] })}>
              Compare…
            </a>
            <button type="button" disabled={isRefused} onClick={() => askClockOut({ session_id: id, title: shown.title?.text ?? null, state: shown.state })}>
              Clock out…
            </button>
          </span>
        }
      />
    </>
  );
}

/** Says so if the page no longer follows the session. */
function SessionConnection({ connection, trouble, retry }: { connection: Connection; trouble: string | null; retry: () => void }) {
  const last = connection.is === "refused" ? connection.why : trouble;
  return (
    <div role="status" class="banner-place">
      {last !== null && (
        <p class="banner">
          <span>
            <strong>You see the last known state of this session.</strong> {last}
          </span>
        </p>
      )}
      {last === null && connection.is === "broken" && board.value.is === "live" && (
        <p class="banner">
          <span>
            <strong>This session is not live since {localTime(connection.since * 1000)}</strong>, trying again. {connection.why}
          </span>
          <button type="button" onClick={retry}>
            Try now
          </button>
        </p>
      )}
    </div>
  );
}
