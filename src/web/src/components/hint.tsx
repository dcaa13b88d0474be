// What to do where there is no session: the server's words, as a list.
import { ALL, pathOf } from "../route.ts";
import { asSentence } from "../stream.ts";

/** `hint` is `no session is live: start this; do that`. */
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

/** Commands are between back quotes, and so is the name of a view. */
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
