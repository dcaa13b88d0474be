// Two sessions side by side.
import { useEffect, useState } from "preact/hooks";
import { ask, sentenceOf } from "../ask.ts";
import { difference, leaning, shown, tools, totals, type Figure, type ToolPair } from "../comparing.ts";
import { toolName } from "../format.ts";
import { ALL, pathOf } from "../route.ts";
import { parseIso } from "../time.ts";
import type { SessionPage } from "../types.ts";
import { SessionState, titleOf } from "./heading.tsx";
import { Section, Text, Time } from "./parts.tsx";

type Side = { is: "asking" } | { is: "failed"; why: string } | { is: "there"; page: SessionPage };

function useSession(id: string): Side {
  const [side, setSide] = useState<Side>({ is: "asking" });
  useEffect(() => {
    const abort = new AbortController();
    setSide({ is: "asking" });
    ask<SessionPage>(`/api/session/${encodeURIComponent(id)}`, { signal: abort.signal }).then(
      (page) => abort.signal.aborted || setSide({ is: "there", page }),
      (error) => abort.signal.aborted || setSide({ is: "failed", why: sentenceOf(error) }),
    );
    return () => abort.abort();
  }, [id]);
  return side;
}

export function Compare({ one, other }: { one: string; other: string }) {
  const sides = { A: useSession(one), B: useSession(other) };
  const { A, B } = sides;
  return (
    <>
      <div class="view-head">
        <h1 tabIndex={-1}>Compare</h1>
        <span class="space" />
        <a href={pathOf({ view: "compare", one: other, other: one })}>Swap</a>
        <a href={pathOf({ ...ALL, compare: [one] })}>Choose another</a>
      </div>
      {Object.entries(sides).map(
        ([name, side]) =>
          side.is === "failed" && (
            <p class="notice bad" role="alert" key={name}>
              {name}: {side.why}
            </p>
          ),
      )}
      {(A.is === "asking" || B.is === "asking") && <p class="empty-page faint">Reading both sessions…</p>}
      {A.is === "there" && B.is === "there" && <Both one={A.page} other={B.page} />}
    </>
  );
}

function Both({ one, other }: { one: SessionPage; other: SessionPage }) {
  return (
    <>
      <div class="pair">
        <Head letter="A" page={one} />
        <Head letter="B" page={other} />
      </div>
      <Section id="totals" title="Totals">
        <div class="table-scroll" tabIndex={0} role="region" aria-label="Totals of both">
          <table class="grid compare-grid">
            <thead>
              <tr>
                <th scope="col">
                  <span class="hidden">Figure</span>
                </th>
                <th scope="col" class="right">
                  A
                </th>
                <th scope="col" class="right">
                  B
                </th>
                <th scope="col" class="right">
                  B vs. A
                </th>
                <th scope="col" class="leaning">
                  <span class="hidden">B vs. A, as a picture</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {totals(one, other).map((figure) => (
                <tr key={figure.name}>
                  <th scope="row">{figure.name}</th>
                  <Values figure={figure} />
                  <td class="leaning">
                    <Leaning figure={figure} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Section>
      <Section id="by-tool" title="By tool">
        <ToolsCompared pairs={tools(one, other)} />
      </Section>
    </>
  );
}

function Head({ letter, page }: { letter: string; page: SessionPage }) {
  return (
    <section class="part" aria-label={`Session ${letter}`}>
      <h2>
        <span class="letter">{letter}</span>{" "}
        <a href={pathOf({ view: "session", id: page.session_id })}>
          <Text>{titleOf(page)}</Text>
        </a>
      </h2>
      <p class="under">
        {page.project && <Text>{page.project.name}</Text>}
        {page.branch && <Text>{page.branch}</Text>}
        <span>
          <Time us={parseIso(page.started_at)} only="minute" />
        </span>
        <SessionState page={page} />
      </p>
    </section>
  );
}

function Values({ figure }: { figure: Figure }) {
  const words = difference(figure);
  return (
    <>
      <td class="num right">{shown(figure.unit, figure.one)}</td>
      <td class="num right">{shown(figure.unit, figure.other)}</td>
      <td class={`num right ${words === "same" ? "faint" : "differs"}`}>{words}</td>
    </>
  );
}

/** Draws a bar to the side of the larger value. */
function Leaning({ figure }: { figure: Figure }) {
  const by = leaning(figure);
  const width = Math.abs(by) * 50;
  return (
    <svg width="100%" height={12} aria-hidden="true">
      {by !== 0 && <rect x={`${by > 0 ? 50 : 50 - width}%`} y={3} width={`${width}%`} height={6} rx={1.5} />}
      <line x1="50%" x2="50%" y1={0} y2={12} />
    </svg>
  );
}

const FIGURES: { name: string; unit: Figure["unit"]; of: (tool: NonNullable<ToolPair["one"]>) => number | null; ifNone: number | null }[] = [
  { name: "Calls", unit: "count", of: (tool) => tool.calls, ifNone: 0 },
  { name: "Failed", unit: "count", of: (tool) => tool.failed, ifNone: 0 },
  { name: "Median", unit: "ms", of: (tool) => tool.p50_ms, ifNone: null },
  { name: "95 %", unit: "ms", of: (tool) => tool.p95_ms, ifNone: null },
  { name: "Total", unit: "ms", of: (tool) => tool.total_ms, ifNone: 0 },
];

function ToolsCompared({ pairs }: { pairs: ToolPair[] }) {
  if (pairs.length === 0) return <p class="empty">Neither session made a call.</p>;
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label="Figures by tool">
      <table class="grid compare-tools">
        <thead>
          <tr>
            <th scope="col" rowSpan={2}>
              Tool
            </th>
            {FIGURES.map(({ name }) => (
              <th key={name} scope="colgroup" colSpan={3} class="group">
                {name}
              </th>
            ))}
          </tr>
          <tr>
            {FIGURES.map(({ name }) => (
              <>
                <th key={`${name} A`} scope="col" class="right group">
                  A
                </th>
                <th key={`${name} B`} scope="col" class="right">
                  B
                </th>
                <th key={`${name} B-A`} scope="col" class="right">
                  B vs. A
                </th>
              </>
            ))}
          </tr>
        </thead>
        <tbody>
          {pairs.map(({ tool, one, other }) => (
            <tr key={tool}>
              <th scope="row">
                <Text>{toolName(tool)}</Text>
              </th>
              {FIGURES.map(({ name, unit, of, ifNone }) => (
                <Values key={name} figure={{ name, unit, one: one ? of(one) : ifNone, other: other ? of(other) : ifNone }} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
