// Reads server-sent events from pieces of text. Pure.
// The browser's own reader hides comments, and those show that the server is alive.

export interface ServerEvent {
  name: string;
  data: string;
}

export interface EventReader {
  /** Takes the next piece and returns the events that are complete with it. */
  take(piece: string): ServerEvent[];
}

export function eventReader(): EventReader {
  let rest = "";
  let name = "";
  let data: string[] = [];
  const line = (text: string): ServerEvent | null => {
    if (text === "") {
      const event = data.length > 0 ? { name: name || "message", data: data.join("\n") } : null;
      name = "";
      data = [];
      return event;
    }
    const colon = text.indexOf(":");
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (field === "event") name = value;
    else if (field === "data") data.push(value);
    return null;
  };
  return {
    take(piece) {
      const events: ServerEvent[] = [];
      rest += piece;
      let from = 0;
      for (;;) {
        let end = from;
        while (end < rest.length && rest[end] !== "\n" && rest[end] !== "\r") end++;
        // A carriage return at the end may be followed by the line feed that belongs to it.
        if (end === rest.length || (rest[end] === "\r" && end + 1 === rest.length)) break;
        const event = line(rest.slice(from, end));
        if (event) events.push(event);
        from = rest[end] === "\r" && rest[end + 1] === "\n" ? end + 2 : end + 1;
      }
      rest = rest.slice(from);
      return events;
    },
  };
}

/** How long to wait before the next attempt, in milliseconds: 1 s, 2 s, 4 s, 8 s, then 15 s. */
export function pause(attempts: number): number {
  return Math.min(15_000, 1000 * 2 ** Math.max(0, attempts - 1));
}
