// Where the page is: the part of its address after `#`.
import { computed, signal } from "@preact/signals";
import { documentOf, hashOf, pathOf, placeOf, type Place } from "./route.ts";

const hash = signal(location.hash);

export const place = computed(() => placeOf(hash.value));

/** A change of the address that is not written yet. */
let waiting = 0;

function write(): void {
  clearTimeout(waiting);
  if (waiting !== 0 && location.hash !== hash.value) history.replaceState(null, "", hash.value);
  waiting = 0;
}

/** Goes to the other page if that one shows the place. */
function look(): void {
  clearTimeout(waiting);
  waiting = 0;
  hash.value = location.hash;
  const now = place.peek();
  if (documentOf(now) !== location.pathname) location.replace(pathOf(now));
}

addEventListener("hashchange", look);
// The way back from a link leads to the filter as it was.
addEventListener("click", write, true);
look();

/** Goes to another place, as a link does. */
export function go(to: Place): void {
  write();
  location.assign(pathOf(to));
}

/** Changes the address of this place, as a filter does: the way back leads over it. */
export function refine(to: Place): void {
  hash.value = hashOf(to);
  // Browsers allow only so many changes in a time, and some throw an error beyond it.
  clearTimeout(waiting);
  waiting = setTimeout(write, 250) as unknown as number;
}
