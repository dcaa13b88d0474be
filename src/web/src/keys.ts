// The keys that work everywhere on the dashboard. Pure.

export type Action = "board" | "all" | "search" | "find" | "help" | "clock-out";

export interface KeyPress {
  key: string;
  /** True if Ctrl, Alt or Meta is held: then the key belongs to the browser. */
  modified: boolean;
  /** True if the key goes into a field as text. */
  typing: boolean;
  ms: number;
}

/** How long after `g` the second key may come, in ms. */
const PATIENCE = 1500;

const AFTER_G: Record<string, Action> = { b: "board", a: "all", s: "search" };
const ALONE: Record<string, Action> = { "/": "find", "?": "help", c: "clock-out" };

/** Returns a function that says which action a key press asks for, if any. */
export function keyReader(): (press: KeyPress) => Action | null {
  let g = -Infinity;
  return ({ key, modified, typing, ms }) => {
    if (modified || typing) return null;
    const isSecond = ms - g <= PATIENCE;
    g = key === "g" && !isSecond ? ms : -Infinity;
    return (isSecond ? AFTER_G[key] : ALONE[key]) ?? null;
  };
}
