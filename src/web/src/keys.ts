// The keys that work everywhere on the dashboard. Pure.

export type Action = "board" | "all" | "search" | "find" | "help" | "clock-out";

export interface KeyPress {
  key: string;
  /** With Ctrl, Alt or the like: such keys belong to the browser. */
  modified: boolean;
  /** In a field where the key is text. */
  typing: boolean;
  ms: number;
}

/** How long after `g` the second key may come. */
const PATIENCE = 1500;

const AFTER_G: Record<string, Action> = { b: "board", a: "all", s: "search" };
const ALONE: Record<string, Action> = { "/": "find", "?": "help", c: "clock-out" };

/** Returns what says which action a key press is, if any. */
export function keyReader(): (press: KeyPress) => Action | null {
  let g = -Infinity;
  return ({ key, modified, typing, ms }) => {
    if (modified || typing) return null;
    const isSecond = ms - g <= PATIENCE;
    g = key === "g" && !isSecond ? ms : -Infinity;
    return (isSecond ? AFTER_G[key] : ALONE[key]) ?? null;
  };
}
