// What is around each view of the dashboard: the bar, banners, dialogs, keys, the title.
import { effect } from "@preact/signals";
import { render, type ComponentChildren } from "preact";
import { keyReader, type Action } from "../keys.ts";
import { announcement, connection, keepLive, keepTitle, needing, rows } from "../live.ts";
import { go, place } from "../place.ts";
import { ALL, hashOf, pathOf, SEARCH, type Place } from "../route.ts";
import { askClockOut, ClockOut } from "./clock-out.tsx";
import { Help, helpOpen, keysOn } from "./help.tsx";
import { LiveBanner, LiveMark } from "./live.tsx";
import { ThemeSwitch } from "./theme.tsx";

export const VIEWS: { view: Place["view"]; name: string; to: Place }[] = [
  { view: "board", name: "Board", to: { view: "board" } },
  { view: "all", name: "All sessions", to: ALL },
  { view: "search", name: "Search", to: SEARCH },
];

function Shell({ children }: { children: ComponentChildren }) {
  const view = place.value.view;
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("main")?.focus();
        }}
      >
        Skip to the content
      </a>
      <header class="bar">
        <a class="brand" href={pathOf({ view: "board" })}>
          ccsession
        </a>
        <nav aria-label="Views">
          {VIEWS.map(({ view: name, name: words, to }) => (
            <a key={name} href={pathOf(to)} aria-current={view === name ? "page" : undefined}>
              {words}
              {name === "board" && needing.value > 0 && connection.value.is === "live" && (
                <span class="badge num">
                  {needing.value}
                  <span class="hidden"> need you</span>
                </span>
              )}
            </a>
          ))}
        </nav>
        <span class="space" />
        <LiveMark />
        <button type="button" class="quiet keys-button" onClick={() => (helpOpen.value = true)} aria-label="Keys" title="Keys (?)">
          ?
        </button>
        <ThemeSwitch />
      </header>
      <main id="main" tabIndex={-1} class={`view-${view}`}>
        <LiveBanner />
        {children}
      </main>
      <p class="hidden" role="status">
        {announcement.value}
      </p>
      <ClockOut />
      <Help />
    </>
  );
}

export function Unknown({ text }: { text: string }) {
  return (
    <section class="empty-page">
      <h1 tabIndex={-1}>No such page</h1>
      <p>
        The dashboard has no page <code>#{text.slice(0, 200)}</code>. The <a href={pathOf({ view: "board" })}>board</a> shows the live sessions.
      </p>
    </section>
  );
}

const ACTIONS: Record<Action, () => void> = {
  board: () => go({ view: "board" }),
  all: () => go(ALL),
  search: () => go(SEARCH),
  find: () => {
    const field = document.querySelector<HTMLInputElement>("[data-search], main input[type=search]");
    if (field) field.focus();
    else go(SEARCH);
  },
  help: () => (helpOpen.value = true),
  "clock-out": () => {
    const card = document.activeElement?.closest<HTMLElement>("[data-card]");
    const row = rows.peek().get(card?.dataset["card"] ?? "");
    if (row) askClockOut(row);
  },
};

function listenToKeys(): void {
  const read = keyReader();
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || !keysOn.peek() || document.querySelector("dialog[open]")) return;
    const typing = event.target instanceof Element && event.target.closest("input, select, textarea") !== null;
    const modified = event.ctrlKey || event.metaKey || event.altKey;
    const action = read({ key: event.key, modified, typing, ms: event.timeStamp });
    if (action === null) return;
    event.preventDefault();
    ACTIONS[action]();
  });
}

/** Moves the focus to the heading of a new view, where a screen reader continues. A changed filter is not a new view. */
function followViews(): void {
  let before = "";
  effect(() => {
    const now = place.value;
    const name = now.view === "all" || now.view === "search" ? now.view : hashOf(now);
    if (before !== "" && before !== name) {
      scrollTo({ top: 0, behavior: "instant" });
      const first = now.view === "search" && now.q === "" ? "[data-search]" : "main h1";
      requestAnimationFrame(() => document.querySelector<HTMLElement>(first)?.focus({ preventScroll: true }));
    }
    before = name;
  });
}

/** Shows a page of the dashboard. */
export function show(View: () => ComponentChildren, title: () => string): void {
  listenToKeys();
  followViews();
  keepTitle(title);
  keepLive();
  render(
    <Shell>
      <View />
    </Shell>,
    document.getElementById("app")!,
  );
}
