// Small parts that every view uses.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { bytes, grouped } from "../format.ts";
import { STATES } from "../model.ts";
import type { Call } from "../calls.ts";
import { duration, iso, local, localDay, localTime } from "../time.ts";

/** A local time; the exact one in UTC is in its title. */
export function Time({ us, only }: { us: number; only?: "day" | "time" | "minute" }) {
  const words = only === "day" ? localDay(us) : only === "time" ? localTime(us) : only === "minute" ? local(us).slice(0, 16) : local(us);
  const exact = iso(us);
  return (
    <time dateTime={exact} title={exact}>
      {words}
    </time>
  );
}

/** A duration; the exact milliseconds are in its title. */
export function Took({ ms }: { ms: number | null }) {
  if (ms === null) return null;
  return <span title={`${grouped(ms)} ms`}>{duration(ms)}</span>;
}

export function Size({ value }: { value: number | null }) {
  return value === null ? null : <span title={`${grouped(value)} bytes`}>{bytes(value)}</span>;
}

/** A call's state: a mark and a word, so that nobody needs the colour. */
export function State({ state }: { state: Call["state"] }) {
  const { mark, word } = STATES[state];
  return (
    <span class={`state state-${state}`}>
      {mark && <span aria-hidden="true">{mark} </span>}
      {word}
    </span>
  );
}

/** Text from a session: its direction of writing does not change that of the text around it. */
export function Text({ children }: { children: ComponentChildren }) {
  return <bdi>{children}</bdi>;
}

/** A fact with its name. */
export function Fact({ name, children, note }: { name: string; children: ComponentChildren; note?: string }) {
  return (
    <div title={note}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Wide content. If it does not fit, it scrolls, and the keyboard can reach it. */
export function Scroll({ label, children, tall }: { label: string; children: ComponentChildren; tall?: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const overflows = useSignal(false);
  useEffect(() => {
    const element = box.current!;
    const measure = () => {
      overflows.value = element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1;
    };
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    for (const child of element.children) watch.observe(child);
    return () => watch.disconnect();
  }, []);
  const reach = overflows.value ? ({ tabIndex: 0, role: "region", "aria-label": `${label}, scrollable` } as const) : {};
  return (
    <div ref={box} class={tall ? "table-scroll tall" : "table-scroll"} {...reach}>
      {children}
    </div>
  );
}

/** A part of a page with a heading. */
export function Section({
  id,
  title,
  aside,
  children,
}: {
  id: string;
  title: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section class="part" aria-labelledby={id}>
      <header class="part-head">
        <h2 id={id}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}
