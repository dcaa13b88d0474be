import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL, hashOf, pathOf, placeOf, SEARCH, searchQuery, type Place } from "./route.ts";
import { NO_ROW_FILTER } from "./rows.ts";

test("each place leads back to itself", () => {
  const places: Place[] = [
    { view: "board" },
    ALL,
    { ...ALL, filter: { ...NO_ROW_FILTER, project: "a & b", text: "x=1 #?", state: "needs" }, sort: "title", down: true, compare: ["s-1", "s-2"] },
    { ...ALL, down: false },
    { view: "session", id: "5b48472b-1111-4222-8333-444455556666" },
    { view: "session", id: "ü/%" },
    { view: "compare", one: "s-1", other: "s-2" },
    SEARCH,
    { view: "search", q: '"rate limit" /E[0-9]+/', role: "user", project: "shop", since: "30d", failed: true },
  ];
  for (const place of places) assert.deepEqual(placeOf(hashOf(place)), place);
});

test("addresses are short and as documented", () => {
  assert.equal(hashOf(ALL), "#/all");
  assert.equal(hashOf({ ...ALL, filter: { ...NO_ROW_FILTER, project: "shop", state: "needs" } }), "#/all?project=shop&state=needs");
  assert.equal(hashOf({ ...ALL, sort: "title", down: true }), "#/all?sort=title&order=down");
  assert.equal(searchQuery({ ...SEARCH, q: "a b", failed: true }), "?q=a+b&failed=true");
});

test("the page of a session has a path of its own", () => {
  assert.equal(pathOf({ view: "session", id: "s-1" }), "/session#/session/s-1");
  assert.equal(pathOf(ALL), "/#/all");
});

test("no address is an error", () => {
  for (const hash of ["", "#", "#/"]) assert.deepEqual(placeOf(hash), { view: "board" });
  for (const hash of ["#/nowhere", "#/session", "#/session/a/b", "#/compare/a", "#/compare/a/b/c", "#/all/x", "#/search/x", "#/session/%", "#/%00%zz"]) {
    assert.equal(placeOf(hash).view, "unknown", hash);
  }
  const all = placeOf("#/all?sort=nonsense&order=sideways&compare=a&compare=&compare=b&compare=c&other=1");
  assert.deepEqual(all, { ...ALL, down: false, compare: ["a", "b"] });
});
