// Search: what was said and done, in all sessions.
import { useEffect, useState } from "preact/hooks";
import { ask, sentenceOf } from "../ask.ts";
import { grouped, plural, toolName } from "../format.ts";
import { marked } from "../marked.ts";
import { memo } from "../memo.ts";
import { go } from "../place.ts";
import { pathOf, SEARCH, searchQuery, type SearchPlace } from "../route.ts";
import { parseIso } from "../time.ts";
import { Text, Time } from "./parts.tsx";

interface Hit {
  at: string | null;
  role: string;
  kind: string;
  tool: string | null;
  failed: boolean | null;
  agent_id: string | null;
  text: string;
  matches: [number, number][];
}

interface Found {
  session_id: string;
  title: { text: string } | null;
  project: { name: string } | string | null;
  started_at: string | null;
  count: number;
  hits: Hit[];
}

interface Answer {
  sessions: Found[];
  more: number;
  left_out: string[];
}

type Result = { is: "none" } | { is: "asking" } | { is: "failed"; why: string } | { is: "found"; answer: Answer };

export function Search({ place }: { place: SearchPlace }) {
  const [result, setResult] = useState<Result>({ is: "none" });
  const query = searchQuery(place);
  useEffect(() => {
    if (place.q.trim() === "") return setResult({ is: "none" });
    const abort = new AbortController();
    setResult({ is: "asking" });
    ask<Answer>(`/api/search${query}`, { signal: abort.signal }).then(
      (answer) => abort.signal.aborted || setResult({ is: "found", answer }),
      (error) => abort.signal.aborted || setResult({ is: "failed", why: sentenceOf(error) }),
    );
    return () => abort.abort();
  }, [query]);
  return (
    <>
      <div class="view-head">
        <h1 tabIndex={-1}>Search</h1>
      </div>
      <Form place={place} />
      <p role="status" class="faint num">
        {words(result)}
      </p>
      {result.is === "failed" && (
        <p class="notice bad" role="alert">
          {result.why}
        </p>
      )}
      {result.is === "found" && <Results answer={result.answer} place={place} />}
    </>
  );
}

function words(result: Result): string {
  switch (result.is) {
    case "none":
      return "A message must contain all words. Put a phrase in quotation marks, and a regular expression between slashes.";
    case "asking":
      return "Searching…";
    case "failed":
      return "";
    case "found": {
      const { sessions, more } = result.answer;
      if (sessions.length === 0) return "";
      const hits = sessions.reduce((sum, session) => sum + session.count, 0);
      const rest = more > 0 ? `; ${plural(more, "further session")} not shown` : "";
      return `${plural(hits, "hit")} in ${plural(sessions.length, "session")}${rest}`;
    }
  }
}

/** The search form. It is drawn again only for another place, so that unsent text stays. */
const Form = memo(function Form({ place }: { place: SearchPlace }) {
  const submit = (event: Event) => {
    event.preventDefault();
    const values = new FormData(event.currentTarget as HTMLFormElement);
    const of = (name: string) => String(values.get(name) ?? "").trim();
    go({ view: "search", q: of("q"), role: of("role"), project: of("project"), since: of("since"), failed: values.has("failed") });
  };
  return (
    <form class="tools search-form" role="search" aria-label="Search in all sessions" onSubmit={submit}>
      <label class="grow">
        <span class="hidden">Words</span>
        <input type="search" name="q" placeholder="words, &quot;a phrase&quot;, /regex/" data-search value={place.q} />
      </label>
      <label>
        <span class="hidden">Written by</span>
        <select name="role" value={place.role}>
          <option value="">anybody</option>
          <option value="user">a person</option>
          <option value="assistant">the model</option>
          <option value="tool">tools</option>
          <option value="notice">Claude Code</option>
        </select>
      </label>
      <label>
        <span class="hidden">Project</span>
        <input type="search" name="project" class="short" placeholder="project" value={place.project} />
      </label>
      <label>
        <span class="hidden">Since</span>
        <input type="search" name="since" class="short" placeholder="since: 30d, today" value={place.since} />
      </label>
      <label class="check">
        <input type="checkbox" name="failed" checked={place.failed} /> only failed calls
      </label>
      <button type="submit" class="primary">
        Search
      </button>
    </form>
  );
}, samePlace);

function samePlace(one: { place: SearchPlace }, other: { place: SearchPlace }): boolean {
  return searchQuery(one.place) === searchQuery(other.place);
}

function Results({ answer, place }: { answer: Answer; place: SearchPlace }) {
  const { sessions, left_out } = answer;
  return (
    <>
      {sessions.length === 0 && (
        <p class="empty" role="status">
          Nothing matches. {(place.role || place.project || place.since || place.failed) && <a href={pathOf({ ...SEARCH, q: place.q })}>Search without filters</a>}
        </p>
      )}
      {left_out.map((sentence) => (
        <p class="notice" key={sentence}>
          {sentence}
        </p>
      ))}
      {sessions.map((session) => (
        <FoundSession key={session.session_id} session={session} />
      ))}
    </>
  );
}

const ROLES: Record<string, string> = { user: "person", assistant: "model", tool: "tool", notice: "notice" };

function FoundSession({ session }: { session: Found }) {
  const { hits, count, project } = session;
  const name = typeof project === "string" ? project : project?.name;
  return (
    <section class="part found">
      <header class="part-head">
        <h2>
          <a href={pathOf({ view: "session", id: session.session_id })}>
            <Text>{session.title?.text ?? `Session ${session.session_id.slice(0, 8)}`}</Text>
          </a>
        </h2>
        {name && (
          <span class="soft">
            <Text>{name}</Text>
          </span>
        )}
        {session.started_at && (
          <span class="faint">
            <Time us={parseIso(session.started_at)} only="minute" />
          </span>
        )}
        <span class="faint num">{plural(count, "hit")}</span>
      </header>
      <ul class="hits">
        {hits.map((hit, i) => (
          <li key={i}>
            <span class="faint num">{hit.at && <Time us={parseIso(hit.at)} only="minute" />}</span>
            <span class={`by by-${hit.role}`}>{hit.tool ? toolName(hit.tool) : (ROLES[hit.role] ?? hit.role)}</span>
            <span class="hit-text">
              {hit.failed && <span class="error">✕ failed </span>}
              <bdi>
                {marked(hit.text, hit.matches).map(({ text, isMatch }, i) => (isMatch ? <mark key={i}>{text}</mark> : text))}
              </bdi>
            </span>
          </li>
        ))}
      </ul>
      {count > hits.length && <p class="faint num">{grouped(count - hits.length)} more in this session</p>}
    </section>
  );
}
