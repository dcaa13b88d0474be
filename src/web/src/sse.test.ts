import assert from "node:assert/strict";
import { test } from "node:test";
import { eventReader, pause } from "./sse.ts";

const STREAM = 'event: board\ndata: {"a":1}\n\n: \n\nevent: rows\r\ndata: one\r\ndata:two\r\n\r\ndata: alone\rid: 7\r\rretry: 5\n\n';
const EVENTS = [
  { name: "board", data: '{"a":1}' },
  { name: "rows", data: "one\ntwo" },
  { name: "message", data: "alone" },
];

test("events are the same however the stream is cut", () => {
  assert.deepEqual(eventReader().take(STREAM), EVENTS);
  for (let size = 1; size < STREAM.length; size++) {
    const reader = eventReader();
    const events = [];
    for (let at = 0; at < STREAM.length; at += size) events.push(...reader.take(STREAM.slice(at, at + size)));
    assert.deepEqual(events, EVENTS, `pieces of ${size}`);
  }
});

test("an incomplete event is held back", () => {
  const reader = eventReader();
  assert.deepEqual(reader.take("event: rows\ndata: x\n"), []);
  assert.deepEqual(reader.take("\n"), [{ name: "rows", data: "x" }]);
  assert.deepEqual(reader.take("event: nothing\n\ndata\n\n"), [{ name: "message", data: "" }]);
});

test("the pauses between attempts grow up to 15 seconds", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 100].map(pause), [1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
});
