// Two sessions side by side: what is compared, and how a difference is written. Pure.
import { tokensOf } from "./components/heading.tsx";
import { brief, grouped } from "./format.ts";
import { duration } from "./time.ts";
import type { SessionPage, ToolStats } from "./types.ts";

export type Unit = "count" | "ms" | "tokens";

export interface Figure {
  name: string;
  unit: Unit;
  one: number | null;
  other: number | null;
}

/** A value in words. */
export function shown(unit: Unit, value: number | null): string {
  if (value === null) return "–";
  return unit === "ms" ? duration(value) : unit === "tokens" ? brief(value) : grouped(value);
}

/** How the second differs from the first, in words that need no colour: `+12 (×1.5)`, `same`. */
export function difference({ unit, one, other }: Pick<Figure, "unit" | "one" | "other">): string {
  if (one === null || other === null) return "";
  if (one === other) return "same";
  const by = other - one;
  const sign = by > 0 ? "+" : "−";
  const amount = `${sign}${shown(unit, Math.abs(by))}`;
  return one > 0 && other > 0 ? `${amount} (${ratio(other / one)})` : amount;
}

/** `×2.5`, `×0.40`. */
function ratio(value: number): string {
  if (value >= 99.5) return `×${grouped(value)}`;
  return `×${value >= 9.95 ? Math.round(value) : value >= 0.995 ? value.toFixed(1) : value.toFixed(2)}`;
}

/** Returns how far the bar leans, from -1 to 1; positive if the second value is larger. */
export function leaning({ one, other }: Pick<Figure, "one" | "other">): number {
  if (one === null || other === null || one === other) return 0;
  return (other - one) / Math.max(Math.abs(one), Math.abs(other));
}

function length(page: SessionPage): number | null {
  return page.span ? (page.span[1][1] - page.span[0][1]) / 1000 : null;
}

const TOTALS: { name: string; unit: Unit; of: (page: SessionPage) => number | null }[] = [
  { name: "Length", unit: "ms", of: length },
  { name: "Prompts", unit: "count", of: (page) => page.stats.prompts },
  { name: "Calls", unit: "count", of: (page) => page.stats.calls },
  { name: "Failed", unit: "count", of: (page) => page.stats.failed },
  { name: "Denied", unit: "count", of: (page) => sum(page.stats.tools, (tool) => tool.denied) },
  { name: "Abandoned", unit: "count", of: (page) => page.stats.abandoned },
  { name: "Time in calls", unit: "ms", of: (page) => page.stats.total_ms },
  { name: "Waited for permission", unit: "ms", of: (page) => page.stats.permission_ms },
  { name: "Waited otherwise", unit: "ms", of: (page) => page.stats.wait_ms },
  { name: "Subagents", unit: "count", of: (page) => page.stats.agents },
  { name: "Compactions", unit: "count", of: (page) => page.stats.compactions },
  { name: "Tokens", unit: "tokens", of: (page) => (page.tokens.length ? tokensOf(page).all : null) },
  { name: "Output tokens", unit: "tokens", of: (page) => (page.tokens.length ? tokensOf(page).output : null) },
  { name: "Commits", unit: "count", of: (page) => page.commits.length },
];

function sum(tools: ToolStats[], of: (tool: ToolStats) => number): number {
  return tools.reduce((sum, tool) => sum + of(tool), 0);
}

/** Returns the totals of two sessions. */
export function totals(one: SessionPage, other: SessionPage): Figure[] {
  return TOTALS.map(({ name, unit, of }) => ({ name, unit, one: of(one), other: of(other) }));
}

export interface ToolPair {
  tool: string;
  one: ToolStats | null;
  other: ToolStats | null;
}

/** Returns the tools that either session used, those with the most calls first. */
export function tools(one: SessionPage, other: SessionPage): ToolPair[] {
  const pairs = new Map<string, ToolPair>();
  for (const tool of one.stats.tools) pairs.set(tool.tool, { tool: tool.tool, one: tool, other: null });
  for (const tool of other.stats.tools) pairs.set(tool.tool, { tool: tool.tool, one: pairs.get(tool.tool)?.one ?? null, other: tool });
  const calls = ({ one, other }: ToolPair) => (one?.calls ?? 0) + (other?.calls ?? 0);
  return [...pairs.values()].sort((a, b) => calls(b) - calls(a) || (a.tool < b.tool ? -1 : 1));
}
