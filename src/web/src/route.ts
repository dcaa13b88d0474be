// The places of the dashboard: what the part of the address after `#` means. Pure.
import { isRowSort, NO_ROW_FILTER, startsDown, type RowFilter, type RowSort } from "./rows.ts";

export interface AllPlace {
  view: "all";
  filter: RowFilter;
  sort: RowSort;
  down: boolean;
  /** The sessions that are chosen for a comparison, at most two. */
  compare: string[];
}

export interface SearchPlace {
  view: "search";
  q: string;
  role: string;
  project: string;
  since: string;
  failed: boolean;
}

export type Place =
  | { view: "board" }
  | AllPlace
  | { view: "session"; id: string }
  | { view: "compare"; one: string; other: string }
  | SearchPlace
  | { view: "unknown"; text: string };

export const ALL: AllPlace = { view: "all", filter: NO_ROW_FILTER, sort: "last", down: true, compare: [] };
export const SEARCH: SearchPlace = { view: "search", q: "", role: "", project: "", since: "", failed: false };

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** Reads a place. Any text that names no place is `unknown`, never an error. */
export function placeOf(hash: string): Place {
  const text = hash.replace(/^#/, "");
  const [path = "", query = ""] = text.split(/\?(.*)/s);
  const parts = path.split("/").filter(Boolean).map(decoded);
  const unknown: Place = { view: "unknown", text };
  if (parts.includes(null)) return unknown;
  const values = new URLSearchParams(query);
  const of = (name: string) => values.get(name) ?? "";
  const [view, one, other, ...more] = parts as string[];
  if (more.length > 0) return unknown;
  switch (view) {
    case undefined:
      return { view: "board" };
    case "all": {
      if (one !== undefined) return unknown;
      const key = of("sort");
      const sort = isRowSort(key) ? key : ALL.sort;
      const order = of("order");
      return {
        view: "all",
        filter: { text: of("text"), project: of("project"), branch: of("branch"), role: of("role"), state: of("state") },
        sort,
        down: order === "" ? startsDown(sort) : order === "down",
        compare: values.getAll("compare").filter(Boolean).slice(0, 2),
      };
    }
    case "session":
      return one !== undefined && other === undefined ? { view: "session", id: one } : unknown;
    case "compare":
      return one !== undefined && other !== undefined ? { view: "compare", one, other } : unknown;
    case "search":
      if (one !== undefined) return unknown;
      return { view: "search", q: of("q"), role: of("role"), project: of("project"), since: of("since"), failed: of("failed") === "true" };
    default:
      return unknown;
  }
}

function query(values: [string, string][]): string {
  const kept = values.filter(([, value]) => value !== "");
  return kept.length === 0 ? "" : `?${new URLSearchParams(kept)}`;
}

/** Writes a place. Default values are left out. */
export function hashOf(place: Place): string {
  switch (place.view) {
    case "board":
      return "#/";
    case "all": {
      const { filter, sort, down, compare } = place;
      const order = down === startsDown(sort) ? "" : down ? "down" : "up";
      const values: [string, string][] = [...(Object.entries(filter) as [string, string][]), ["sort", sort === ALL.sort ? "" : sort], ["order", order]];
      for (const id of compare) values.push(["compare", id]);
      return `#/all${query(values)}`;
    }
    case "session":
      return `#/session/${encodeURIComponent(place.id)}`;
    case "compare":
      return `#/compare/${encodeURIComponent(place.one)}/${encodeURIComponent(place.other)}`;
    case "search":
      return `#/search${query([
        ["q", place.q],
        ["role", place.role],
        ["project", place.project],
        ["since", place.since],
        ["failed", place.failed ? "true" : ""],
      ])}`;
    case "unknown":
      return `#${place.text}`;
  }
}

/** Returns the page that shows a place. The page of a session is larger, so it is a separate one. */
export function documentOf(place: Place): "/" | "/session" {
  return place.view === "session" ? "/session" : "/";
}

/** Returns the address of a place, for links. */
export function pathOf(place: Place): string {
  return documentOf(place) + hashOf(place);
}

/** Returns the query string of a search, for the server. */
export function searchQuery(place: SearchPlace): string {
  return hashOf(place).replace(/^#\/search/, "");
}
