// The report: one or several sessions in a file.
import { effect, signal } from "@preact/signals";
import { render } from "preact";
import { useMemo } from "preact/hooks";
import { Overview } from "./components/overview.tsx";
import { titleOf } from "./components/heading.tsx";
import { Time } from "./components/parts.tsx";
import { SessionView } from "./components/session.tsx";
import { ThemeSwitch } from "./components/theme.tsx";
import { parseIso } from "./time.ts";
import type { PageData, SessionPage } from "./types.ts";

const data = JSON.parse(document.getElementById("data")!.textContent!) as PageData;
const now = signal(parseIso(data.made_at));
const route = signal(location.hash);
const several = data.sessions.length !== 1 || data.stats !== null;

const find = (id: string) => data.sessions.find((page) => page.session_id === id);

/** The session that the address names; without a name, the only one. */
function chosen(): SessionPage | undefined {
  const id = /^#\/session\/(.+)$/.exec(route.value)?.[1];
  if (id !== undefined) return find(decodeURIComponent(id));
  return several ? undefined : data.sessions[0];
}

function One({ page }: { page: SessionPage }) {
  const shown = useMemo(() => signal(page), [page]);
  return <SessionView page={shown} now={now} linkOf={(id) => (find(id) ? `#/session/${encodeURIComponent(id)}` : undefined)} />;
}

function Report() {
  const page = chosen();
  const isLost = !page && route.value.startsWith("#/session/");
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="bar">
        <span class="brand">ccsession</span>
        {several && (
          <nav aria-label="Report">
            <a href="#/" aria-current={page ? undefined : "page"}>
              All sessions
            </a>
          </nav>
        )}
        <span class="space" />
        <span class="faint num made">
          made <Time us={now.value} only="minute" />
        </span>
        <ThemeSwitch />
      </header>
      <main id="main" tabIndex={-1}>
        {data.metadata && (
          <p class="notice">
            <strong>Structure and times only.</strong> {data.left_out.join(" ")}
          </p>
        )}
        {isLost && (
          <p class="notice">
            This report does not contain that session. <a href="#/">All sessions</a> lists those that it contains.
          </p>
        )}
        {page ? <One key={page.session_id} page={page} /> : <Overview data={data} />}
        {!data.metadata && data.left_out.length > 0 && (
          <ul class="notice" aria-label="Left out">
            {data.left_out.map((sentence) => (
              <li key={sentence}>{sentence}</li>
            ))}
          </ul>
        )}
      </main>
      <footer class="foot faint">
        Made by {data.made_by} on <Time us={now.value} />. This page loads nothing from the network.
      </footer>
    </>
  );
}

addEventListener("hashchange", () => {
  if (!location.hash.startsWith("#/") && location.hash !== "") return;
  route.value = location.hash;
  scrollTo(0, 0);
  // A screen reader continues at the heading of the new view.
  requestAnimationFrame(() => document.querySelector<HTMLElement>("h1")?.focus());
});
effect(() => {
  const page = chosen();
  document.title = `${page ? titleOf(page) : `${data.sessions.length} sessions`} · ccsession`;
});

render(<Report />, document.getElementById("app")!);
