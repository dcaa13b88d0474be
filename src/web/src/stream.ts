// A stream of the server, kept open: it says whether it is live, and tries again if it is not.
import { signal, type ReadonlySignal } from "@preact/signals";
import { eventReader, pause, type ServerEvent } from "./sse.ts";

/** The server sends something every 15 seconds. After this time without anything the stream is dead. */
const SILENCE = 40_000;

export type Connection =
  | { is: "connecting" }
  | { is: "live" }
  /** It broke, and is tried again. `since` is a time of this browser in ms. */
  | { is: "broken"; since: number; why: string }
  /** Nothing helps but what the sentence says. */
  | { is: "refused"; status: number; why: string }
  | { is: "closed" };

export interface Stream {
  connection: ReadonlySignal<Connection>;
  /** Tries again at once. */
  retry(): void;
  close(): void;
}

export const UNREACHABLE = "The server has ended or cannot be reached.";

/** Errors of the command line begin small and have no full stop. */
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
    // It is not ours, or it broke off.
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
      // What the page cannot read is a fault of ours, and not of the connection.
      if (error instanceof SyntaxError) console.error(error);
      broke(silent ? "Nothing comes from the server any more." : UNREACHABLE);
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
