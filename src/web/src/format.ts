// Numbers and names in words. Pure.

/** Writes `12345` as `12 345`, with a narrow no-break space. */
export function grouped(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

/** A large number, short: `9 999`, `12k`, `3.4M`. */
export function brief(value: number): string {
  if (value < 10_000) return grouped(value);
  for (const [unit, size] of [
    ["k", 1e3],
    ["M", 1e6],
    ["G", 1e9],
  ] as const) {
    const scaled = value / size;
    if (scaled < 9.95) return `${scaled.toFixed(1)}${unit}`;
    if (scaled < 999.5) return `${Math.round(scaled)}${unit}`;
  }
  return `${Math.round(value / 1e12)}T`;
}

/** `1 call`, `2 calls`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

/** A share from 0 to 1: `0 %`, `<1 %`, `37 %`. */
export function percent(share: number): string {
  if (share > 0 && share < 0.005) return "<1\u202f%";
  return `${Math.round(share * 100)}\u202f%`;
}

/** A size in bytes: `812 B`, `1.2 kB`, `48 MB`. */
export function bytes(value: number): string {
  if (value < 1000) return `${value} B`;
  for (const [unit, size] of [
    ["kB", 1e3],
    ["MB", 1e6],
  ] as const) {
    const scaled = value / size;
    if (scaled < 9.95) return `${scaled.toFixed(1)} ${unit}`;
    if (scaled < 999.5) return `${Math.round(scaled)} ${unit}`;
  }
  return `${(value / 1e9).toFixed(1)} GB`;
}

/** A tool's name for people: `mcp__linear__get_issue` is `linear: get_issue`. */
export function toolName(tool: string | null): string {
  if (tool === null) return "?";
  const parts = /^mcp__(.+?)__(.+)$/.exec(tool);
  return parts ? `${parts[1]}: ${parts[2]}` : tool;
}

export type ToolKind = "read" | "write" | "shell" | "web" | "agent" | "mcp" | "other";

const KINDS: Record<string, ToolKind> = {
  Read: "read",
  Grep: "read",
  Glob: "read",
  LS: "read",
  NotebookRead: "read",
  ToolSearch: "read",
  LSP: "read",
  Edit: "write",
  MultiEdit: "write",
  Write: "write",
  NotebookEdit: "write",
  Bash: "shell",
  BashOutput: "shell",
  KillShell: "shell",
  KillBash: "shell",
  Monitor: "shell",
  PowerShell: "shell",
  WebFetch: "web",
  WebSearch: "web",
  Agent: "agent",
  Task: "agent",
  Skill: "agent",
  Workflow: "agent",
};

/** Returns what a tool does, which decides its colour. */
export function toolKind(tool: string | null): ToolKind {
  if (tool === null) return "other";
  if (tool.startsWith("mcp")) return "mcp";
  return Object.hasOwn(KINDS, tool) ? KINDS[tool]! : "other";
}

/** Cuts the project's directory off a path below it. Other texts stay as they are. */
export function below(text: string, root: string | undefined): string {
  return root && root !== "/" && text.startsWith(`${root}/`) ? text.slice(root.length + 1) : text;
}

/** Returns the end of a long path, which says most: `…/checkout/totals.rs`. Other texts stay as they are. */
export function shortPath(text: string, most = 44): string {
  if (text.length <= most || !text.includes("/") || text.includes(" ")) return text;
  const parts = text.split("/");
  let kept = parts.pop() ?? text;
  while (parts.length > 1) {
    const longer = `${parts[parts.length - 1]}/${kept}`;
    if (longer.length > most - 2) break;
    kept = longer;
    parts.pop();
  }
  return `…/${kept}`;
}
