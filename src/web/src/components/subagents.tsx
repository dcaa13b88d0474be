// What each subagent did together with those below it.
import { brief, grouped } from "../format.ts";
import { depths } from "../lanes.ts";
import type { Session } from "../model.ts";
import { Scroll, Text, Time, Took } from "./parts.tsx";
import { NO_FILTER, type ViewState } from "./view.ts";

export function Subagents({ session, state }: { session: Session; state: ViewState }) {
  const { agents } = session.page;
  const depth = depths(agents);
  const withTokens = agents.some((agent) => agent.subtree.tokens > 0);
  const show = (agent: string) => {
    state.filter.value = { ...NO_FILTER, agent };
    document.getElementById("calls")?.scrollIntoView();
  };
  return (
    <Scroll label="Subagents" tall>
      <table class="grid">
        <thead>
          <tr>
            <th scope="col">Subagent</th>
            <th scope="col">Task</th>
            <th scope="col">Start</th>
            <th scope="col" class="right">
              Ran
            </th>
            <th scope="col" class="right">
              Calls
            </th>
            <th scope="col" class="right">
              Failed
            </th>
            <th scope="col" class="right">
              Time in calls
            </th>
            {withTokens && (
              <th scope="col" class="right">
                Tokens
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {agents.map((agent) => {
            const call = agent.runs.find((run) => run.call !== null)?.call;
            const task = call === undefined || call === null ? null : session.calls[call]?.what;
            const ran = agent.runs.reduce((sum, run) => sum + (run.ended ? (run.ended[1] - run.started[1]) / 1000 : 0), 0);
            const { subtree } = agent;
            return (
              <tr key={agent.agent_id}>
                <th scope="row" class={`d${Math.min(6, (depth.get(agent.agent_id) ?? 1) - 1)}`}>
                  <button type="button" class="link" onClick={() => show(agent.agent_id)} title={`Show the calls of ${agent.agent_id}`}>
                    <Text>{agent.agent_type ?? agent.agent_id}</Text>
                  </button>
                </th>
                <td class="what">
                  <Text>{task ?? ""}</Text>
                  {agent.linked || <span class="faint"> (inferred from event order)</span>}
                </td>
                <td class="num faint">
                  <Time us={agent.started[0]} only="time" />
                </td>
                <td class="num right">{agent.ended ? <Took ms={ran} /> : "running"}</td>
                <td class="num right">
                  {grouped(subtree.calls)}
                  {subtree.agents > 0 && <span class="faint"> by {grouped(subtree.agents + 1)} agents</span>}
                </td>
                <td class={subtree.failed ? "num right error" : "num right"}>{subtree.failed ? `✕ ${grouped(subtree.failed)}` : ""}</td>
                <td class="num right">
                  <Took ms={subtree.calls_ms} />
                </td>
                {withTokens && <td class="num right">{subtree.tokens ? brief(subtree.tokens) : ""}</td>}
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}
