// The time of the server, which ages are counted by: this browser's clock may be wrong, or elsewhere.
import { signal } from "@preact/signals";
import { parseIso } from "./time.ts";

/** How far the server's clock is ahead of the browser's, in ms. */
let ahead = 0;

/** The server's time in ms; it moves once a second while the page is looked at. */
export const tick = signal(Date.now());

/** Takes over the time that a message of the server states. */
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
