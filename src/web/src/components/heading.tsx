// The top of a session's page: its names, its state, its sums.
import type { ComponentChildren } from "preact";
import { brief, grouped, percent, plural } from "../format.ts";
import type { Session } from "../model.ts";
import { duration, parseIso } from "../time.ts";
import type { Kin, SessionPage } from "../types.ts";
import { Fact, Scroll, Text, Time, Took } from "./parts.tsx";

/** Returns the address of a session's page, if this page can link to it. */
export type LinkOf = (id: string) => string | undefined;

const WAITS: Record<SessionPage["attention"]["state"], string> = {
  permission: "waits for permission",
  question: "waits for an answer",
  plan: "waits for plan approval",
  prompt: "waits for a prompt",
  error: "stopped after an error",
  none: "",
};

/** Shows a session's state as a chip, whose colour says first whether the session waits. */
export function SessionState({ page }: { page: Pick<SessionPage, "state" | "attention"> }) {
  const waits = WAITS[page.attention.state];
  return (
    <span class={`chip chip-${waits ? "waits" : page.state}`}>
      {page.state}
      {waits && ` · ${waits}`}
    </span>
  );
}

/** What a session is called; without a title, the beginning of its id. */
export function titleOf(page: Pick<SessionPage, "title" | "session_id">): string {
  return page.title?.text ?? `Session ${page.session_id.slice(0, 8)}`;
}

export function tokensOf(page: Pick<SessionPage, "tokens">) {
  const sum = { input: 0, output: 0, read: 0, created: 0, messages: 0 };
  for (const used of page.tokens) {
    sum.input += used.input;
    sum.output += used.output;
    sum.read += used.cache_read;
    sum.created += used.cache_creation;
    sum.messages += used.messages;
  }
  return { ...sum, all: sum.input + sum.output + sum.read + sum.created };
}

const KINSHIP: Record<Kin["relation"], string> = {
  before: "continues",
  around: "started within",
  after: "continued by",
  within: "started",
};

/** The sessions that one came from, and those that came from it. */
function Lineage({ page, linkOf }: { page: SessionPage; linkOf: LinkOf }) {
  return (
    <ul>
      {page.lineage.map((kin) => {
        const href = kin.state ? linkOf(kin.session_id) : undefined;
        const name = <Text>{titleOf(kin)}</Text>;
        return (
          <li key={kin.session_id} title={kin.session_id}>
            {KINSHIP[kin.relation]} {href ? <a href={href}>{name}</a> : name}{" "}
            <span class="faint num">
              {kin.started_at && <Time us={parseIso(kin.started_at)} only="minute" />} {kin.source && `${kin.source}, `}
              {kin.state ?? "no record"}
            </span>
          </li>
        );
      })}
      {page.lineage_more > 0 && <li class="faint">and {grouped(page.lineage_more)} more</li>}
    </ul>
  );
}

export function Heading({ session, aside, linkOf }: { session: Session; aside?: ComponentChildren; linkOf: LinkOf }) {
  const { page } = session;
  const { stats } = page;
  const branches = [...new Set([...page.prompts.map((prompt) => prompt.branch), page.branch].filter((it): it is string => it !== null))];
  const [first, last] = page.span ?? [null, null];
  const tokens = tokensOf(page);
  const states = [
    ["failed", stats.failed],
    ["denied", stats.tools.reduce((sum, tool) => sum + tool.denied, 0)],
    ["abandoned", stats.abandoned],
    ["running", stats.open],
  ].filter((it): it is [string, number] => (it[1] as number) > 0);
  const agentsTokens = page.tokens
    .filter((used) => used.agent_id !== null)
    .reduce((sum, used) => sum + used.input + used.output + used.cache_read + used.cache_creation, 0);
  const models = [...new Set(page.tokens.map((used) => used.model))];
  const damage = Object.entries(page.damage).filter(([, count]) => count > 0);
  return (
    <header class="heading">
      <div class="title-row">
        <h1 tabIndex={-1} class="title">
          <Text>{titleOf(page)}</Text>
        </h1>
        <SessionState page={page} />
        {aside}
      </div>
      <p class="under">
        {page.project && (
          <span title={page.project.root}>
            <Text>{page.project.name}</Text>
          </span>
        )}
        {branches.map((branch) => (
          <span class="branch" key={branch}>
            <Text>{branch}</Text>
          </span>
        ))}
        {first && last && (
          <span class="num">
            <Time us={first[0]} only="minute" /> – <Time us={last[0]} only={sameDay(first[0], last[0]) ? "time" : "minute"} />
            {", "}
            {duration((last[1] - first[1]) / 1000)}
          </span>
        )}
        <code class="faint id">{page.session_id}</code>
      </p>
      <dl class="facts">
        <Fact name="Calls">
          <b>{grouped(stats.calls)}</b>
          {states.map(([word, count]) => (
            <span key={word} class={word === "running" ? "sub" : "sub error"}>
              {grouped(count)} {word}
            </span>
          ))}
        </Fact>
        <Fact name="Prompts">
          <b>{grouped(stats.prompts)}</b>
          {stats.compactions > 0 && <span class="sub">{plural(stats.compactions, "compaction")}</span>}
        </Fact>
        {stats.agents > 0 && (
          <Fact name="Subagents">
            <b>{grouped(stats.agents)}</b>
            {agentsTokens > 0 && <span class="sub">{brief(agentsTokens)} tokens</span>}
          </Fact>
        )}
        <Fact name="Time in calls" note="The sum of the durations of all calls, even parallel ones.">
          <b>
            <Took ms={stats.total_ms} />
          </b>
        </Fact>
        <Fact name="Waited for you" note="How long calls waited for permission.">
          <b>{stats.permission_ms > 0 ? <Took ms={stats.permission_ms} /> : "never"}</b>
          {stats.permission_ms > 0 && <span class="sub">permission</span>}
        </Fact>
        <Fact
          name="Waited otherwise"
          note="How long calls waited for other things: hooks, Claude Code itself, earlier calls."
        >
          <b>
            <Took ms={stats.wait_ms} />
          </b>
        </Fact>
        {tokens.all > 0 && (
          <Fact
            name="Tokens"
            note={`input ${grouped(tokens.input)}, output ${grouped(tokens.output)}, cache read ${grouped(tokens.read)}, cache write ${grouped(tokens.created)}`}
          >
            <b>{brief(tokens.all)}</b>
            <span class="sub">
              {brief(tokens.input + tokens.created)} in, {brief(tokens.output)} out
            </span>
          </Fact>
        )}
        {page.cost_usd !== null && (
          <Fact name="Cost" note="As Claude Code reports it.">
            <b>${page.cost_usd.toFixed(2)}</b>
          </Fact>
        )}
        {page.coverage !== null && page.coverage.calls > 0 && (
          <Fact
            name="Recorded"
            note={`${grouped(page.coverage.recorded)} of ${plural(page.coverage.calls, "call")} in the transcript, by hooks`}
          >
            <b>{percent(page.coverage.recorded / page.coverage.calls)}</b>
            <span class="sub">by hooks</span>
          </Fact>
        )}
      </dl>
      <dl class="more">
        {page.role && (
          <Fact name="Role">
            <Text>{page.role}</Text>
          </Fact>
        )}
        {page.focus && (
          <Fact name="Focus">
            <Text>{page.focus}</Text>
          </Fact>
        )}
        {(models.length > 0 || page.model) && (
          <Fact name="Model">
            <Text>{(models.length ? models : [page.model]).join(", ")}</Text>
          </Fact>
        )}
        {page.outcome && (
          <Fact name="Outcome">
            <Text>{page.outcome}</Text>
            {page.exit_status !== null && `, status ${page.exit_status}`}
          </Fact>
        )}
        {page.attention.since && page.attention.state !== "none" && (
          <Fact name="Waiting since">
            <Time us={parseIso(page.attention.since)} />
            {page.attention.what && (
              <>
                {" "}
                <Text>{page.attention.what}</Text>
              </>
            )}
          </Fact>
        )}
        {page.lineage.length > 0 && (
          <Fact name="Lineage">
            <Scroll label="Lineage" tall>
              <Lineage page={page} linkOf={linkOf} />
            </Scroll>
          </Fact>
        )}
        {page.commits.length > 0 && (
          <Fact name="Commits">
            <Scroll label="Commits" tall>
              <ul>
                {page.commits.map((commit) => (
                  <li key={commit.id}>
                    <code title={commit.id}>{commit.id.slice(0, 10)}</code>{" "}
                    <span class="faint num">
                      <Time us={parseIso(commit.at)} only="minute" /> {commit.how}, {commit.certainty}
                      {commit.replaced_by && `, replaced by ${commit.replaced_by.slice(0, 10)}`}
                    </span>
                  </li>
                ))}
              </ul>
            </Scroll>
          </Fact>
        )}
        {page.notes.length > 0 && (
          <Fact name="Notes">
            {page.notes.map((note) => (
              <div key={note.at}>
                <span class="faint num">
                  <Time us={parseIso(note.at)} only="minute" />
                </span>{" "}
                <Text>{note.text}</Text>
              </div>
            ))}
          </Fact>
        )}
        {(damage.length > 0 || page.duplicates > 0) && (
          <Fact name="Left out">
            {damage.map(([kind, count]) => `${plural(count, `${kind} line`)}`).join(", ")}
            {page.duplicates > 0 && ` ${plural(page.duplicates, "event")} recorded twice`}
          </Fact>
        )}
      </dl>
    </header>
  );
}

function sameDay(one: number, other: number): boolean {
  return new Date(one / 1000).toDateString() === new Date(other / 1000).toDateString();
}
