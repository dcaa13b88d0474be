// The rows of the table of calls: calls under their prompts, a subagent's calls under the call that started it. Pure.
import type { Call } from "./calls.ts";
import type { Agent, Prompt, SessionPage } from "./types.ts";

export type Row =
  | { kind: "prompt"; prompt: Prompt; number: number; calls: number; key: string }
  | { kind: "call"; call: Call; depth: number; agent: Agent | null };

/** All calls in the order of their start, as a tree. */
export function tree(page: SessionPage, calls: Call[]): Row[] {
  const byAgent = new Map<string, Call[]>();
  const main: Call[] = [];
  const known = new Set(page.agents.map((agent) => agent.agent_id));
  for (const call of calls) {
    if (call.agent === null || !known.has(call.agent)) main.push(call);
    else {
      const list = byAgent.get(call.agent);
      if (list) list.push(call);
      else byAgent.set(call.agent, [call]);
    }
  }
  const starts = new Map<number, Agent>();
  for (const agent of page.agents) {
    const call = agent.runs.find((run) => run.call !== null)?.call;
    if (call !== undefined && call !== null) starts.set(call, agent);
  }
  const rows: Row[] = [];
  const placed = new Set<string>();
  const add = (call: Call, depth: number) => {
    const agent = starts.get(call.index) ?? null;
    rows.push({ kind: "call", call, depth, agent });
    if (agent && !placed.has(agent.agent_id) && agent.agent_id !== call.agent) {
      placed.add(agent.agent_id);
      for (const below of byAgent.get(agent.agent_id) ?? []) add(below, Math.min(depth + 1, 6));
    }
  };
  // If no call is known to have started a subagent, its calls are placed by their own start.
  const lost = page.agents.filter((agent) => ![...starts.values()].includes(agent));
  const top = lost.length ? [...main, ...lost.flatMap((agent) => byAgent.get(agent.agent_id) ?? [])] : main;
  top.sort((one, other) => one.started[1] - other.started[1] || one.index - other.index);
  let next = 0;
  let number = 0;
  let current: Extract<Row, { kind: "prompt" }> | null = null;
  for (const call of top) {
    for (; next < page.prompts.length && page.prompts[next]!.at[1] <= call.started[1]; next++) {
      const prompt = page.prompts[next]!;
      if (!prompt.notification) number++;
      rows.push((current = { kind: "prompt", prompt, number, calls: 0, key: `p${next}` }));
    }
    const before = rows.length;
    add(call, 0);
    if (current) current.calls += rows.length - before;
  }
  for (; next < page.prompts.length; next++) {
    const prompt = page.prompts[next]!;
    if (!prompt.notification) number++;
    rows.push({ kind: "prompt", prompt, number, calls: 0, key: `p${next}` });
  }
  // A cycle of subagents, as in a damaged journal, has no beginning; its calls come last.
  const seen = new Set(rows.map((row) => (row.kind === "call" ? row.call.index : -1)));
  if (seen.size < calls.length) {
    for (const call of calls) if (!seen.has(call.index)) rows.push({ kind: "call", call, depth: 0, agent: null });
  }
  return rows;
}
