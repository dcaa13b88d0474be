// Parts of the dashboard that know the time: ages, and whether the page is live.
import { useComputed } from "@preact/signals";
import { tick } from "../clock.ts";
import { connection, fault, isLive, known, retry } from "../live.ts";
import { UNREACHABLE } from "../stream.ts";
import { age } from "../ages.ts";
import { iso, local, localTime, parseIso } from "../time.ts";

/** Shows how long ago something was. Only this text is drawn again as time passes. */
export function Age({ at, title }: { at: string; title?: string }) {
  const us = parseIso(at);
  const words = useComputed(() => age(tick.value - us / 1000));
  return (
    <time dateTime={at} title={`${title ? `${title} ` : ""}${local(us)} (${iso(us)})`} class="age">
      {words}
    </time>
  );
}

/** Shows in the bar whether the page is live. */
export function LiveMark() {
  const now = connection.value.is;
  const words = isLive.value ? "live" : now === "connecting" || (now === "closed" && !known.value) ? "connecting" : "not live";
  return <span class={`live-mark ${isLive.value ? "on" : "off"}`}>{words}</span>;
}

/** Says so if the page is not live: since when, why, and what helps. */
export function LiveBanner() {
  const now = connection.value;
  const shown = now.is === "broken" ? brokenWords(now.since, now.why) : now.is === "refused" ? refusedWords(now.status, now.why) : null;
  return (
    <div role="status" class="banner-place">
      {shown && (
        <p class="banner">
          <span>{shown}</span>
          {now.is === "broken" && (
            <button type="button" onClick={retry}>
              Try now
            </button>
          )}
        </p>
      )}
      {!shown && fault.value !== null && (
        <p class="banner">
          <strong>Not live:</strong> the server could not read the sessions: {fault.value}. What you see may be old.
        </p>
      )}
    </div>
  );
}

function brokenWords(since: number, why: string) {
  return (
    <>
      <strong>Not live since {localTime(since * 1000)}</strong>, trying again. {why}
      {why === UNREACHABLE && (
        <>
          {" "}
          To start it again, run <code>ccsession dashboard</code> and open the new address.
        </>
      )}
    </>
  );
}

function refusedWords(status: number, why: string) {
  if (status === 401) {
    return (
      <>
        <strong>The server refuses this page.</strong> Each start of the dashboard makes a new token. Open the address that{" "}
        <code>ccsession dashboard</code> printed last.
      </>
    );
  }
  return (
    <>
      <strong>Not live.</strong> {why}
    </>
  );
}
