// Where the page is: the part of its address after `#`.
import { computed, signal } from "@preact/signals";
import { documentOf, hashOf, pathOf, placeOf, type Place } from "./route.ts";

const hash = signal(location.hash);

export const place = computed(() => placeOf(hash.value));

/** The timer of a change of the address that is not written yet; 0 if there is none. */
let waiting = 0;

function write(): void {
  clearTimeout(waiting);
  if (waiting !== 0 && location.hash !== hash.value) history.replaceState(null, "", hash.value);
  waiting = 0;
}

/** Reads the address, and goes to the other page if the place is shown there. */
function look(): void {
  clearTimeout(waiting);
  waiting = 0;
  hash.value = location.hash;
  const now = place.peek();
  if (documentOf(now) !== location.pathname) location.replace(pathOf(now));
}

addEventListener("hashchange", look);
// So that the browser's Back, after a link, returns to the filter as it was.
addEventListener("click", write, true);
look();

/** Goes to another place, as a link does. */
export function go(to: Place): void {
  write();
  location.assign(pathOf(to));
}

/** Changes the address within a view, as a filter does, without a step in the browser's history. */
export function refine(to: Place): void {
  hash.value = hashOf(to);
  // Browsers limit how often the address may change, and some throw an error beyond that.
  clearTimeout(waiting);
  waiting = setTimeout(write, 250) as unknown as number;
}
