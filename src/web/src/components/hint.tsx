// What to do if there are no sessions: the server's hint, as a list.
import { ALL, pathOf } from "../route.ts";
import { asSentence } from "../stream.ts";

/** Shows a hint of the form `no session is live: start this; do that`. */
export function Nothing({ hint, more }: { hint: string; more?: string }) {
  const [what = "", ...remedies] = hint.split(/: |; /);
  return (
    <section class="empty-page">
      <h2>{asSentence(what).slice(0, -1)}</h2>
      {more && <p class="soft">{more}</p>}
      {remedies.length > 0 && (
        <ul>
          {remedies.map((remedy) => (
            <li key={remedy}>
              <Remedy text={asSentence(remedy)} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** Shows one remedy. Back quotes mark commands, and the name of a view, which becomes a link. */
function Remedy({ text }: { text: string }) {
  return (
    <>
      {text.split("`").map((part, i) => {
        if (i % 2 === 0) return part;
        return part === "All sessions" ? (
          <a key={i} href={pathOf(ALL)}>
            {part}
          </a>
        ) : (
          <code key={i}>{part}</code>
        );
      })}
    </>
  );
}
