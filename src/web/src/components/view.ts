// What a person has chosen in a session's view: shared by the picture and the tables.
import { signal, type Signal } from "@preact/signals";
import type { Call } from "../calls.ts";

export type SortKey = "start" | "duration" | "wait" | "permission" | "tool" | "state" | "agent";

export interface Filter {
  text: string;
  tool: string;
  /** A state, `problem` for all that went wrong, or empty for any. */
  state: string;
  /** A subagent's id, `main`, or empty for any. */
  agent: string;
}

export interface ViewState {
  /** The call that has the focus, in the picture and in the table. */
  selected: Signal<number | null>;
  hovered: Signal<number | null>;
  folded: Signal<boolean>;
  filter: Signal<Filter>;
  sort: Signal<{ key: SortKey; down: boolean }>;
  /** Asks the table to show a call, and to give it the focus. */
  reveal: Signal<number | null>;
}

export const NO_FILTER: Filter = { text: "", tool: "", state: "", agent: "" };

export function viewState(): ViewState {
  return {
    selected: signal(null),
    hovered: signal(null),
    folded: signal(true),
    filter: signal(NO_FILTER),
    sort: signal({ key: "start", down: false }),
    reveal: signal(null),
  };
}

/** Returns a test for the calls that pass a filter. */
export function matches(filter: Filter, agentType: (id: string | null) => string): (call: Call) => boolean {
  const text = filter.text.trim().toLowerCase();
  return (call) => {
    if (filter.tool && call.tool !== filter.tool) return false;
    if (filter.agent && (call.agent ?? "main") !== filter.agent) return false;
    if (filter.state === "problem") {
      if (call.state !== "failed" && call.state !== "denied" && call.state !== "abandoned") return false;
    } else if (filter.state && call.state !== filter.state) return false;
    if (!text) return true;
    const all = `${call.tool ?? ""}\n${call.what ?? ""}\n${call.error ?? ""}\n${call.id ?? ""}\n${agentType(call.agent)}`;
    return all.toLowerCase().includes(text);
  };
}
