// A session's page: the same in a report and in the dashboard, where it changes while it is shown.
import { useComputed, type ReadonlySignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useMemo, useRef } from "preact/hooks";
import { grouped } from "../format.ts";
import { sessionOf, type Session } from "../model.ts";
import type { SessionPage } from "../types.ts";
import { Hours } from "./calendar.tsx";
import { Calls, Problems } from "./calls.tsx";
import { Heading, type LinkOf } from "./heading.tsx";
import { Section } from "./parts.tsx";
import { Subagents } from "./subagents.tsx";
import { Timeline } from "./timeline.tsx";
import { Tools } from "./tools.tsx";
import { NO_FILTER, viewState } from "./view.ts";

/** `now` is the page's time in µs: that of the report, or of the last message of the server. */
export function SessionView({
  page,
  now,
  aside,
  linkOf,
}: {
  page: ReadonlySignal<SessionPage>;
  now: ReadonlySignal<number>;
  aside?: ComponentChildren;
  linkOf: LinkOf;
}) {
  const state = useMemo(viewState, []);
  const before = useRef<Session | undefined>(undefined);
  const session = useComputed(() => {
    // The page's time matters only to calls that run now, so without any the clock draws nothing again.
    const until = page.value.stats.open > 0 ? now.value : now.peek();
    return (before.current = sessionOf(page.value, until, before.current));
  });
  const shown = session.value;
  const { problems } = shown;
  if (shown.calls.length === 0 && shown.marks.length === 0 && !shown.page.calls_left_out) {
    return (
      <article class="session">
        <Heading session={shown} aside={aside} linkOf={linkOf} />
        <p class="notice">No prompt and no call of this session was recorded.</p>
      </article>
    );
  }
  return (
    <article class="session">
      <Heading session={shown} aside={aside} linkOf={linkOf} />
      {!shown.page.calls_left_out && (
        <Section
          id="problems"
          title="Problems"
          aside={problems.length > 0 && <span class="count error">✕ {grouped(problems.length)}</span>}
        >
          <Problems session={shown} state={state} />
        </Section>
      )}
      {!shown.page.calls_left_out && (
        <Section id="timeline" title="Timeline">
          <Timeline session={session} state={state} />
        </Section>
      )}
      <Section id="calls" title="Calls">
        <Calls session={session} state={state} />
      </Section>
      {shown.page.agents.length > 0 && (
        <Section id="subagents" title="Subagents">
          <Subagents session={shown} state={state} />
        </Section>
      )}
      {shown.page.stats.calls > 0 && (
        <Section id="tools" title="Tools">
          <p class="faint hint">
            Each point is a call, on a logarithmic scale; ✕ means failed. The solid line is the median, the dashed one the 95th percentile.
          </p>
          <Tools
            stats={shown.page.stats}
            calls={shown.calls}
            choose={(tool) => {
              state.filter.value = { ...NO_FILTER, tool };
              state.sort.value = { key: "duration", down: true };
              document.getElementById("calls")?.scrollIntoView();
            }}
          />
        </Section>
      )}
      {shown.page.stats.calls > 0 && (
        <Section id="hours" title="Hours">
          <Hours hours={shown.page.stats.hours} />
        </Section>
      )}
    </article>
  );
}
