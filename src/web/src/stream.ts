// A stream from the server that says whether it is live, and reconnects when it breaks.
import { signal, type ReadonlySignal } from "@preact/signals";
import { eventReader, pause, type ServerEvent } from "./sse.ts";

/** After this time without data, in ms, the stream is dead: the server sends something every 15 seconds. */
const SILENCE = 40_000;

export type Connection =
  | { is: "connecting" }
  | { is: "live" }
  /** The stream broke and will be retried. `since` is a time by this browser's clock, in ms. */
  | { is: "broken"; since: number; why: string }
  /** Retrying cannot help; `why` says what does. */
  | { is: "refused"; status: number; why: string }
  | { is: "closed" };

export interface Stream {
  connection: ReadonlySignal<Connection>;
  /** Tries again at once. */
  retry(): void;
  close(): void;
}

export const UNREACHABLE = "The server has stopped or cannot be reached.";

/** Makes a sentence of an error of the command line, which begins in lower case and has no full stop. */
export function asSentence(text: string): string {
  const end = /[.?!]$/.test(text) ? "" : ".";
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${end}`;
}

/** Reads the sentence of an error answer. */
export async function sentence(answer: Response): Promise<string> {
  try {
    const { error } = (await answer.json()) as { error?: unknown };
    if (typeof error === "string") return asSentence(error);
  } catch {
    // The answer is not from ccsession, or it was cut short.
  }
  return `The server answered with status ${answer.status}.`;
}

/** True if trying again cannot help. */
function isFinal(status: number): boolean {
  return [400, 401, 403, 404, 405].includes(status);
}

export function openStream(path: string, take: (event: ServerEvent) => void): Stream {
  const connection = signal<Connection>({ is: "connecting" });
  let attempts = 0;
  let brokenAt = 0;
  let timer = 0;
  let abort: AbortController | null = null;
  let closed = false;

  const broke = (why: string) => {
    attempts++;
    brokenAt ||= Date.now();
    connection.value = { is: "broken", since: brokenAt, why };
    timer = setTimeout(() => void connect(), pause(attempts)) as unknown as number;
  };

  async function connect(): Promise<void> {
    const own = new AbortController();
    abort = own;
    let silence = 0;
    let silent = false;
    const alive = () => {
      clearTimeout(silence);
      silence = setTimeout(() => {
        silent = true;
        own.abort();
      }, SILENCE) as unknown as number;
    };
    try {
      alive();
      const answer = await fetch(path, { headers: { Accept: "text/event-stream" }, cache: "no-store", signal: own.signal });
      if (!answer.ok || !answer.body) {
        const why = await sentence(answer);
        if (closed || abort !== own) return;
        if (isFinal(answer.status)) connection.value = { is: "refused", status: answer.status, why };
        else broke(why);
        return;
      }
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      const events = eventReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (closed || abort !== own) return;
        if (done) break;
        alive();
        for (const event of events.take(value)) take(event);
        if (connection.peek().is !== "live") {
          attempts = 0;
          brokenAt = 0;
          connection.value = { is: "live" };
        }
      }
      broke("The server closed the connection.");
    } catch (error) {
      if (closed || abort !== own) return;
      // Data that the page cannot read is our bug, not a fault of the connection.
      if (error instanceof SyntaxError) console.error(error);
      broke(silent ? "The server stopped responding." : UNREACHABLE);
    } finally {
      clearTimeout(silence);
    }
  }

  const stop = () => {
    clearTimeout(timer);
    abort?.abort();
    abort = null;
  };
  void connect();
  return {
    connection,
    retry() {
      if (closed) return;
      stop();
      void connect();
    },
    close() {
      closed = true;
      stop();
      connection.value = { is: "closed" };
    },
  };
}
