// What each tool took: every call a point on a logarithmic scale, beside the numbers of `stats`.
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { Call } from "../calls.ts";
import { grouped, percent, toolKind, toolName } from "../format.ts";
import { logScale, place, scatter, type LogScale } from "../scale.ts";
import type { Stats, ToolStats } from "../types.ts";
import { Scroll, Text, Took } from "./parts.tsx";
import { colours } from "./theme.tsx";

const HEIGHT = 26;

export function Tools({ stats, calls, choose }: { stats: Stats; calls: Call[]; choose?: (tool: string) => void }) {
  const byTool = useMemo(() => {
    const found = new Map<string, Call[]>();
    for (const call of calls) {
      if (call.duration === null) continue;
      const tool = call.tool ?? "?";
      const list = found.get(tool);
      if (list) list.push(call);
      else found.set(tool, [call]);
    }
    return found;
  }, [calls]);
  const scale = useMemo(() => {
    let [shortest, longest] = [Infinity, 1];
    for (const call of calls) {
      if (call.duration === null) continue;
      shortest = Math.min(shortest, call.duration);
      longest = Math.max(longest, call.duration);
    }
    return logScale(shortest, longest);
  }, [calls]);
  const hasPoints = byTool.size > 0;
  if (stats.tools.length === 0) return <p class="empty">No call, so no durations.</p>;
  const withWait = stats.tools.some((tool) => tool.wait_ms > 0);
  const withPermission = stats.tools.some((tool) => tool.permission_ms > 0);
  return (
    <Scroll label="Tools">
      <table class="grid tools-grid">
        <thead>
          <tr>
            <th scope="col">Tool</th>
            <th scope="col" class="right">
              Calls
            </th>
            <th scope="col" class="right">
              Failed
            </th>
            {hasPoints && (
              <th scope="col" class="points">
                <span class="hidden">Durations, as a picture</span>
                <Axis scale={scale} />
              </th>
            )}
            <th scope="col" class="right">
              Median
            </th>
            <th scope="col" class="right">
              95 %
            </th>
            <th scope="col" class="right">
              Longest
            </th>
            <th scope="col" class="right">
              Total
            </th>
            <th scope="col" class="right">
              Share
            </th>
            {withPermission && (
              <th scope="col" class="right">
                Permission
              </th>
            )}
            {withWait && (
              <th scope="col" class="right">
                Wait
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {stats.tools.map((tool) => (
            <tr key={tool.tool}>
              <th scope="row">
                {choose ? (
                  <button type="button" class="link" onClick={() => choose(tool.tool)} title="Show these calls">
                    <Text>{toolName(tool.tool)}</Text>
                  </button>
                ) : (
                  <Text>{toolName(tool.tool)}</Text>
                )}
              </th>
              <td class="num right">{grouped(tool.calls)}</td>
              <td class={tool.failed ? "num right error" : "num right faint"}>{tool.failed ? `✕ ${grouped(tool.failed)}` : ""}</td>
              {hasPoints && (
                <td class="points">
                  <Strip tool={tool} calls={byTool.get(tool.tool) ?? []} scale={scale} />
                </td>
              )}
              <td class="num right">
                <Took ms={tool.p50_ms} />
              </td>
              <td class="num right">
                <Took ms={tool.p95_ms} />
              </td>
              <td class="num right">
                <Took ms={tool.max_ms} />
              </td>
              <td class="num right">
                <Took ms={tool.max_ms === null ? null : tool.total_ms} />
              </td>
              <td class="num right">{tool.max_ms === null ? "" : percent(tool.share)}</td>
              {withPermission && (
                <td class="num right">
                  <Took ms={tool.permission_ms || null} />
                </td>
              )}
              {withWait && (
                <td class="num right faint">
                  <Took ms={tool.wait_ms || null} />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Axis({ scale }: { scale: LogScale }) {
  return (
    <svg class="axis" aria-hidden="true" width="100%" height="14">
      {scale.marks.map(([ms, words], i) => {
        const at = place(scale, ms);
        // Of many names every other one is left out, because they would touch.
        if (scale.marks.length > 5 && i % 2 === 1) return null;
        return (
          <text key={ms} x={`${at * 100}%`} y="11" text-anchor={at < 0.05 ? "start" : at > 0.92 ? "end" : "middle"}>
            {words}
          </text>
        );
      })}
    </svg>
  );
}

function Strip({ tool, calls, scale }: { tool: ToolStats; calls: Call[]; scale: LogScale }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const now = colours.value;
  useLayoutEffect(() => {
    const element = canvas.current!;
    const draw = () => strip(element, tool, calls, scale);
    draw();
    const watch = new ResizeObserver(draw);
    watch.observe(element);
    return () => watch.disconnect();
  }, [tool, calls, scale, now]);
  return <canvas ref={canvas} class="strip" aria-hidden="true" />;
}

function strip(canvas: HTMLCanvasElement, tool: ToolStats, calls: Call[], scale: LogScale) {
  const width = canvas.clientWidth;
  if (width === 0) return;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(HEIGHT * ratio);
  const ctx = canvas.getContext("2d")!;
  ctx.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const x = (ms: number) => 3 + place(scale, ms) * (width - 6);
  ctx.strokeStyle = of("line");
  ctx.beginPath();
  for (const [ms] of scale.marks) {
    const at = Math.round(x(ms)) + 0.5;
    ctx.moveTo(at, 0);
    ctx.lineTo(at, HEIGHT);
  }
  ctx.stroke();
  ctx.fillStyle = of(`kind-${toolKind(tool.tool)}`);
  ctx.globalAlpha = calls.length > 2000 ? 0.18 : calls.length > 200 ? 0.4 : 0.65;
  const size = calls.length > 2000 ? 1.4 : 2;
  for (const call of calls) {
    if (call.state === "failed") continue;
    ctx.beginPath();
    ctx.arc(x(call.duration!), 5 + scatter(call.index) * (HEIGHT - 10), size, 0, 7);
    ctx.fill();
  }
  ctx.globalAlpha = 1;
  ctx.strokeStyle = of("problem");
  ctx.lineWidth = 1.4;
  ctx.beginPath();
  for (const call of calls) {
    if (call.state !== "failed") continue;
    const [at, y] = [x(call.duration!), 5 + scatter(call.index) * (HEIGHT - 10)];
    ctx.moveTo(at - 2.5, y - 2.5);
    ctx.lineTo(at + 2.5, y + 2.5);
    ctx.moveTo(at + 2.5, y - 2.5);
    ctx.lineTo(at - 2.5, y + 2.5);
  }
  ctx.stroke();
  ctx.strokeStyle = of("text");
  for (const [ms, dash] of [
    [tool.p50_ms, []],
    [tool.p95_ms, [2, 2]],
  ] as const) {
    if (ms === null) continue;
    ctx.setLineDash([...dash]);
    ctx.lineWidth = dash.length ? 1.2 : 1.8;
    ctx.beginPath();
    ctx.moveTo(x(ms), 1);
    ctx.lineTo(x(ms), HEIGHT - 1);
    ctx.stroke();
  }
}
