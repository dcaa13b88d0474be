// The server's time, from which ages are computed: this browser's clock may be wrong, or another machine's.
import { signal } from "@preact/signals";
import { parseIso } from "./time.ts";

/** How far the server's clock is ahead of the browser's, in ms. */
let ahead = 0;

/** The server's time in ms; updated once a second while the page is visible. */
export const tick = signal(Date.now());

/** Sets the clock to the time in a message from the server. */
export function setClock(now: string): void {
  const server = parseIso(now) / 1000;
  if (Number.isNaN(server)) return;
  ahead = server - Date.now();
  tick.value = server;
}

export function serverNow(): number {
  return Date.now() + ahead;
}

function move(): void {
  if (!document.hidden) tick.value = serverNow();
}

setInterval(move, 1000);
document.addEventListener("visibilitychange", move);
