// The picture of a session: lanes on a canvas that zooms and pans. Screen readers get the table instead; a status line describes the focused call.
import { effect, useComputed, useSignal, useSignalEffect, type ReadonlySignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { isProblem, type Call } from "../calls.ts";
import { Picture, SIGNS, type Colours, type Hit, type View } from "../canvas.ts";
import { fold, toU, type Folding } from "../lanes.ts";
import { agentName, callName, describe, type MarkKind, type Session } from "../model.ts";
import { duration, iso, local } from "../time.ts";
import { colours as colourChanges, isPrinted } from "./theme.tsx";
import type { ViewState } from "./view.ts";
import { State, Text } from "./parts.tsx";

/** How long the picture must rest before the words beside it follow, in ms: to change them, the browser lays out the page. */
const SETTLED = 120;

/** The shortest span of time that can fill the picture, in µs. */
const CLOSEST = 2000;

function colours(element: Element): Colours {
  const style = getComputedStyle(element);
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim() || "#888";
  return {
    text: of("text"),
    faint: of("faint"),
    line: of("line-strong"),
    surface: of("surface"),
    band: of("band"),
    onBar: of("on-bar"),
    problem: of("problem"),
    permission: of("permission"),
    permissionTint: of("permission-tint"),
    wait: of("wait"),
    accent: of("accent"),
    kinds: {
      read: of("kind-read"),
      write: of("kind-write"),
      shell: of("kind-shell"),
      web: of("kind-web"),
      agent: of("kind-agent"),
      mcp: of("kind-mcp"),
      other: of("kind-other"),
    },
  };
}

/** Keeps a view inside the picture. */
function clamped(view: View, length: number): View {
  const least = Math.min(CLOSEST, length);
  const size = Math.min(length, Math.max(least, view.u1 - view.u0));
  const u0 = Math.min(Math.max(0, view.u0), length - size);
  return { u0, u1: u0 + size };
}

function zoomed(view: View, at: number, factor: number, length: number): View {
  const size = Math.min(length, Math.max(Math.min(CLOSEST, length), (view.u1 - view.u0) * factor));
  const share = (at - view.u0) / (view.u1 - view.u0 || 1);
  const u0 = at - share * size;
  return clamped({ u0, u1: u0 + size }, length);
}

interface Sight {
  view: View;
  /** True if the view is the whole picture. Then it stays so when the picture grows. */
  whole: boolean;
}

export function Timeline({ session, state }: { session: ReadonlySignal<Session>; state: ViewState }) {
  const frame = useRef<HTMLDivElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const sight = useSignal<Sight>({ view: { u0: 0, u1: 1 }, whole: true });
  const tip = useSignal<Hit>(null);
  const said = useSignal("");
  const kit = useRef<{ picture: Picture; folding: Folding; pending: number } | null>(null);
  // Kept here, because reading an element's scroll position may make the browser lay out the page.
  const top = useRef(0);
  // Computed apart, so that a zoom step draws the picture and nothing else of the page.
  const whole = useComputed(() => sight.value.whole);
  const scale = useSignal("");

  const length = () => kit.current?.folding.length ?? 1;
  const look = (view: View) => {
    const to = clamped(view, length());
    sight.value = { view: to, whole: to.u1 - to.u0 >= length() * 0.9999 };
    tip.value = null;
  };
  const zoom = (factor: number, at?: number) => {
    const { view } = sight.peek();
    look(zoomed(view, at ?? (view.u0 + view.u1) / 2, factor, length()));
  };
  const pan = (share: number) => {
    const { view } = sight.peek();
    const by = (view.u1 - view.u0) * share;
    look({ u0: view.u0 + by, u1: view.u1 + by });
  };
  const draw = () => {
    const now = kit.current;
    if (!now || now.pending) return;
    now.pending = requestAnimationFrame(() => {
      now.pending = 0;
      paint();
    });
  };
  const paint = () => {
    const now = kit.current;
    if (!now) return;
    now.picture.draw(sight.peek().view, top.current, state.hovered.peek(), state.selected.peek());
  };
  const size = () => {
    const now = kit.current;
    const box = scroller.current;
    if (!now || !box || !canvas.current) return;
    // On paper nobody scrolls.
    const most = isPrinted() ? Infinity : Math.max(260, Math.min(window.innerHeight * 0.66, 720));
    now.picture.resize(box.clientWidth, most, window.devicePixelRatio || 1);
    canvas.current.style.height = `${now.picture.height}px`;
    box.style.height = `${now.picture.height}px`;
    (box.firstElementChild as HTMLElement).style.height = `${now.picture.content}px`;
    top.current = box.scrollTop;
    paint();
  };

  // The picture is made again if the session, the folding or the theme changes.
  const build = () => {
    const now = session.value;
    const folding = fold(now.page, now.calls, now.last, state.folded.value);
    colourChanges.value;
    if (!canvas.current) return;
    const before = kit.current;
    const picture = new Picture(canvas.current, now, folding, colours(canvas.current));
    kit.current = { picture, folding, pending: 0 };
    if (before?.pending) cancelAnimationFrame(before.pending);
    const { view, whole } = sight.peek();
    sight.value =
      whole || !before ? { view: { u0: 0, u1: folding.length }, whole: true } : { view: clamped(view, folding.length), whole: false };
    size();
  };
  useLayoutEffect(() => effect(build), []);
  useSignalEffect(() => {
    sight.value;
    state.hovered.value;
    state.selected.value;
    draw();
  });
  useSignalEffect(() => {
    const { view, whole } = sight.value;
    const words = whole ? "" : `${duration((view.u1 - view.u0) / 1000)} shown`;
    const timer = setTimeout(() => (scale.value = words), SETTLED);
    return () => clearTimeout(timer);
  });
  // A call that got the focus elsewhere is moved into sight.
  useSignalEffect(() => {
    const index = state.selected.value;
    const now = kit.current;
    const call = index === null ? undefined : session.peek().calls[index];
    if (!now || !call) return;
    const u = toU(now.folding, call.started[1]);
    const { view } = sight.peek();
    if (u < view.u0 || u > view.u1) {
      const half = (view.u1 - view.u0) / 2;
      look({ u0: u - half, u1: u + half });
    }
    const row = now.picture.rowOf(call.index);
    const box = scroller.current;
    if (row !== null && box && (row < box.scrollTop + 50 || row > box.scrollTop + now.picture.height - 30)) {
      box.scrollTop = row - now.picture.height / 2;
    }
  });
  useEffect(() => {
    const watch = new ResizeObserver(size);
    watch.observe(scroller.current!);
    return () => watch.disconnect();
  }, []);

  const point = (event: PointerEvent | WheelEvent | MouseEvent) => {
    const box = canvas.current!.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const hit = (event: PointerEvent | MouseEvent): Hit => {
    const { x, y } = point(event);
    return kit.current?.picture.hit(x, y, top.current, sight.peek().view) ?? null;
  };

  // Listeners that keep the browser from scrolling or zooming must not be passive.
  useEffect(() => {
    const box = frame.current!;
    const wheel = (event: WheelEvent) => {
      const now = kit.current;
      if (!now) return;
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      const isZoom = event.ctrlKey || event.metaKey || document.activeElement === box;
      if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
        event.preventDefault();
        pan(sideways / now.picture.span);
      } else if (isZoom && !event.shiftKey) {
        event.preventDefault();
        const lines = event.deltaMode === 1 ? 30 : 1;
        const factor = Math.exp(Math.max(-120, Math.min(120, event.deltaY * lines)) * (event.ctrlKey ? 0.008 : 0.0035));
        zoom(factor, now.picture.u(point(event).x, sight.peek().view));
      }
    };
    box.addEventListener("wheel", wheel, { passive: false });
    return () => box.removeEventListener("wheel", wheel);
  }, []);

  const pointers = useMemo(() => new Map<number, { x: number; y: number }>(), []);
  const drag = useRef<{ view: View; x: number; moved: boolean; pinch: number } | null>(null);
  const spread = () => {
    const [one, other] = [...pointers.values()];
    return one && other ? Math.abs(one.x - other.x) + Math.abs(one.y - other.y) : 0;
  };
  const middle = () => {
    const all = [...pointers.values()];
    return all.reduce((sum, { x }) => sum + x, 0) / all.length;
  };
  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    pointers.set(event.pointerId, point(event));
    canvas.current!.setPointerCapture(event.pointerId);
    drag.current = { view: sight.peek().view, x: middle(), moved: pointers.size > 1, pinch: spread() };
  };
  const move = (event: PointerEvent) => {
    const now = kit.current;
    if (!now) return;
    if (!pointers.has(event.pointerId)) {
      const found = hit(event);
      tip.value = found;
      state.hovered.value = found && "call" in found ? found.call.index : null;
      return;
    }
    pointers.set(event.pointerId, point(event));
    const from = drag.current;
    if (!from) return;
    const moved = middle() - from.x;
    if (Math.abs(moved) > 4 || pointers.size > 1) from.moved = true;
    if (!from.moved) return;
    tip.value = null;
    const by = (moved / now.picture.span) * (from.view.u1 - from.view.u0);
    let view = { u0: from.view.u0 - by, u1: from.view.u1 - by };
    if (pointers.size > 1 && from.pinch > 0) {
      const at = now.picture.u(middle(), view);
      view = zoomed(view, at, from.pinch / Math.max(1, spread()), length());
    }
    look(view);
  };
  const up = (event: PointerEvent) => {
    const from = drag.current;
    const was = pointers.delete(event.pointerId);
    if (pointers.size > 0) {
      drag.current = { view: sight.peek().view, x: middle(), moved: true, pinch: spread() };
      return;
    }
    drag.current = null;
    if (!was || !from || from.moved || event.type === "pointercancel") return;
    const found = hit(event);
    tip.value = found;
    state.selected.value = found && "call" in found ? found.call.index : null;
    if (state.selected.value !== null) said.value = describe(session.peek(), session.peek().calls[state.selected.value]!);
  };

  const go = (to: number | undefined) => {
    const call = to === undefined ? undefined : session.peek().calls[to];
    if (!call) return;
    state.selected.value = call.index;
    said.value = describe(session.peek(), call);
    tip.value = null;
  };
  const visible = () => {
    const now = kit.current!;
    const { view } = sight.peek();
    return session.peek().calls.findIndex((call) => {
      const u = toU(now.folding, call.started[1]);
      return u >= view.u0 && u <= view.u1;
    });
  };
  const nextProblem = (from: number, way: 1 | -1) => {
    const { problems } = session.peek();
    return way > 0 ? problems.find((call) => call.index > from)?.index : problems.findLast((call) => call.index < from)?.index;
  };
  const key = (event: KeyboardEvent) => {
    if (event.target !== frame.current || event.ctrlKey || event.metaKey || event.altKey) return;
    const now = state.selected.peek();
    const actions: Record<string, () => void> = {
      "+": () => zoom(0.6),
      "=": () => zoom(0.6),
      "-": () => zoom(1 / 0.6),
      ArrowLeft: () => pan(-0.2),
      ArrowRight: () => pan(0.2),
      ArrowUp: () => (scroller.current!.scrollTop -= 54),
      ArrowDown: () => (scroller.current!.scrollTop += 54),
      0: () => look({ u0: 0, u1: length() }),
      Home: () => look({ u0: 0, u1: sight.peek().view.u1 - sight.peek().view.u0 }),
      End: () => look({ u0: length() - (sight.peek().view.u1 - sight.peek().view.u0), u1: length() }),
      n: () => go(now === null ? visible() : now + 1),
      p: () => go(now === null ? visible() : now - 1),
      f: () => go(nextProblem(now ?? -1, 1)),
      F: () => go(nextProblem(now ?? Infinity, -1)),
      Enter: () => (state.reveal.value = now),
      Escape: () => ((state.selected.value = null), (tip.value = null)),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  };

  const empty = session.value.calls.length === 0 && session.value.marks.length === 0;
  return (
    <div class="timeline" hidden={empty}>
      <div class="tools" role="group" aria-label="Timeline">
        <button type="button" onClick={() => zoom(0.5)} aria-label="Zoom in" title="Zoom in (+)">
          +
        </button>
        <button type="button" onClick={() => zoom(2)} aria-label="Zoom out" title="Zoom out (-)">
          −
        </button>
        <button type="button" onClick={() => look({ u0: 0, u1: length() })} disabled={whole} title="Show everything (0)">
          All
        </button>
        <label class="switch">
          <input type="checkbox" checked={state.folded.value} onChange={() => (state.folded.value = !state.folded.value)} /> Fold idle times
        </label>
        <span class="faint num">{scale}</span>
        <Legend />
      </div>
      <div
        ref={frame}
        class="stage"
        tabIndex={0}
        role="group"
        aria-label="Timeline of calls. The table of calls below has the same data."
        aria-describedby="timeline-keys"
        onKeyDown={key}
      >
        <div
          ref={scroller}
          class="scroll"
          onScroll={(event) => {
            top.current = event.currentTarget.scrollTop;
            draw();
          }}
        >
          <div class="space">
            <canvas
              ref={canvas}
              aria-hidden="true"
              onPointerDown={down}
              onPointerMove={move}
              onPointerUp={up}
              onPointerCancel={up}
              onPointerLeave={() => {
                tip.value = null;
                state.hovered.value = null;
              }}
              onDblClick={(event) => {
                const now = kit.current;
                if (now) zoom(0.4, now.picture.u(point(event).x, sight.peek().view));
              }}
            />
          </div>
        </div>
        <Tip at={tip} session={session.value} width={() => kit.current?.picture.width ?? 0} />
      </div>
      <p id="timeline-keys" class={state.selected.value === null ? "keys faint" : "hidden"}>
        Drag to move, pinch or <kbd>Ctrl</kbd>+wheel to zoom. With the focus on it: wheel, <kbd>+</kbd> <kbd>−</kbd> zoom, <kbd>←</kbd>{" "}
        <kbd>→</kbd> move, <kbd>0</kbd> all, <kbd>n</kbd> <kbd>p</kbd> next and previous call, <kbd>f</kbd> next failure, <kbd>Enter</kbd>{" "}
        its row in the table.
      </p>
      <p class="hidden" role="status">
        {said.value}
      </p>
      <Selected session={session.value} state={state} />
    </div>
  );
}

/** Shows what is under the pointer. */
function Tip({ at, session, width }: { at: ReadonlySignal<Hit>; session: Session; width: () => number }) {
  const hit = at.value;
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const tip = box.current;
    if (!tip || !hit) return;
    const left = Math.min(Math.max(4, hit.x + 14), Math.max(4, width() - tip.offsetWidth - 8));
    tip.style.left = `${left}px`;
    tip.style.top = `${hit.y + 18}px`;
  });
  if (!hit) return null;
  return (
    <div ref={box} class="tip" aria-hidden="true">
      {"mark" in hit ? (
        <>
          <div>
            <Text>{hit.mark.text}</Text>
          </div>
          <div class="faint num">{local(hit.mark.ts)}</div>
        </>
      ) : (
        <CallTip call={hit.call} session={session} />
      )}
    </div>
  );
}

function CallTip({ call, session }: { call: Call; session: Session }) {
  return (
    <>
      <div class="tip-title">
        <Text>{callName(session, call)}</Text>
      </div>
      <div class="num">
        <State state={call.state} />
        {call.error && (
          <>
            {" "}
            <Text>{call.error}</Text>
          </>
        )}
        {call.duration !== null && ` · ran ${duration(call.duration)}`}
        {call.permission !== null && call.permission > 0 && ` · ${duration(call.permission)} for permission`}
        {call.wait !== null && call.wait >= 1 && ` · ${duration(call.wait)} waiting`}
      </div>
      <div class="faint num">
        {local(call.started[0])} · <Text>{agentName(session, call.agent)}</Text>
      </div>
    </>
  );
}

/** Describes the selected call in words. */
function Selected({ session, state }: { session: Session; state: ViewState }) {
  const index = state.selected.value;
  const call = index === null ? undefined : session.calls[index];
  if (!call) return null;
  return (
    <div class={isProblem(call.state) ? "selected problem" : "selected"}>
      <strong>
        <Text>{callName(session, call)}</Text>
      </strong>
      <span class="num">
        <State state={call.state} />
        {call.error && (
          <>
            {" "}
            <Text>{call.error}</Text>
          </>
        )}
      </span>
      <span class="num" title={iso(call.started[0])}>
        {local(call.started[0])}
      </span>
      {call.duration !== null && <span class="num">ran {duration(call.duration)}</span>}
      {call.permission !== null && call.permission > 0 && <span class="num">{duration(call.permission)} for permission</span>}
      {call.wait !== null && call.wait >= 1 && <span class="num">{duration(call.wait)} waiting</span>}
      <span class="faint">
        <Text>{agentName(session, call.agent)}</Text>
      </span>
      <button type="button" onClick={() => (state.reveal.value = call.index)}>
        Show in the table
      </button>
    </div>
  );
}

const PATTERNS: [name: string, word: string][] = [
  ["run", "running"],
  ["permission", "permission"],
  ["wait", "waiting"],
  ["background", "background"],
  ["failed", "failed ✕"],
  ["lost", "abandoned ?"],
];
const WORDS: [MarkKind, string][] = [
  ["prompt", "prompt"],
  ["compaction", "compaction"],
  ["segment", "start, /clear"],
  ["commit", "commit"],
];

/** Explains the patterns and signs. */
function Legend() {
  return (
    <ul class="legend" aria-hidden="true">
      {PATTERNS.map(([name, word]) => (
        <li key={name}>
          <i class={`key ${name}`} /> {word}
        </li>
      ))}
      {WORDS.map(([kind, word]) => (
        <li key={kind}>
          <Sign kind={kind} /> {word}
        </li>
      ))}
    </ul>
  );
}

function Sign({ kind }: { kind: MarkKind }) {
  const { path, lines } = SIGNS[kind];
  return (
    <svg class={`sign ${kind}`} viewBox="-8 -8 16 16">
      <path class={lines ? "lines" : "area"} d={path} />
    </svg>
  );
}
