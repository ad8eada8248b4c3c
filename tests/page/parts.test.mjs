// Places and the outbox, each by itself.

import assert from "node:assert/strict";
import test from "node:test";

import { OTHER, Outbox, Places, TALK } from "./support.mjs";

test("a message is shown once, and moves the cursor", () => {
  const places = new Places();
  assert.equal(places.arrived(TALK, 5), true, "the first one begins the cursor, wherever it is");
  assert.equal(places.arrived(TALK, 5), false);
  assert.equal(places.arrived(TALK, 4), false);
  assert.equal(places.arrived(TALK, 6), true);
  assert.deepEqual(places.cursors(), { [TALK]: 6 });
});

test("an own message beyond a hole does not move the cursor over it", () => {
  const places = new Places({ [TALK]: 5 });
  places.sent(TALK, 7, false);
  assert.deepEqual(places.cursors(), { [TALK]: 5 });
  assert.equal(places.arrived(TALK, 6), true);
  assert.deepEqual(places.cursors(), { [TALK]: 7 });
  assert.equal(places.arrived(TALK, 7), false);
});

test("an own message that is the next one moves the cursor, and begins one", () => {
  const places = new Places();
  places.sent(TALK, 9, true);
  places.sent(TALK, 10, true);
  assert.deepEqual(places.cursors(), { [TALK]: 10 });
  assert.equal(places.arrived(TALK, 10), false);
});

test("another own message does not begin a cursor: earlier ones may be owed", () => {
  const places = new Places();
  places.sent(TALK, 9, false);
  assert.equal(places.arrived(TALK, 7), true);
  assert.equal(places.arrived(TALK, 8), true);
  assert.equal(places.arrived(TALK, 9), false, "it was shown by its sent");
  assert.deepEqual(places.cursors(), { [TALK]: 9 });
});

test("an own message that the server sends again after a reconnect is not shown again", () => {
  const places = new Places();
  places.sent(TALK, 9, false);
  assert.equal(places.arrived(TALK, 9), false);
  assert.equal(places.arrived(TALK, 10), true);
});

test("a message beyond a hole, which an own message on its way will fill, is shown without moving the cursor", () => {
  const places = new Places({ [TALK]: 5 });
  assert.equal(places.arrived(TALK, 7), true);
  assert.equal(places.arrived(TALK, 7), false);
  assert.deepEqual(places.cursors(), { [TALK]: 5 });
  places.sent(TALK, 6, false);
  assert.deepEqual(places.cursors(), { [TALK]: 7 });
});

test("memory is bounded where a hole is never filled", () => {
  const places = new Places({ [TALK]: 5 });
  for (let seq = 7; seq < 5_000; seq += 1) assert.equal(places.arrived(TALK, seq), true);
  assert.deepEqual(places.cursors(), { [TALK]: 4_999 });
});

test("who was away from a group goes on where they were added again", () => {
  const places = new Places({ [TALK]: 5 });
  places.jump(TALK, 20);
  assert.equal(places.arrived(TALK, 20), true);
  assert.equal(places.arrived(TALK, 21), true);
  assert.deepEqual(places.cursors(), { [TALK]: 21 });
  places.jump(TALK, 9);
  places.jump(OTHER, 9);
  assert.deepEqual(places.cursors(), { [TALK]: 21 }, "never back, and where nothing is known nothing begins");
});

test("history begins a cursor only as the newest page, and moves one only when it joins on", () => {
  const page = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => ({ seq: from + i }));
  const places = new Places();
  places.page(TALK, page(1, 3), false);
  assert.deepEqual(places.cursors(), {});
  places.page(TALK, page(4, 8), true);
  assert.deepEqual(places.cursors(), { [TALK]: 8 });
  places.page(TALK, page(10, 12), true);
  assert.deepEqual(places.cursors(), { [TALK]: 8 }, "9 is still to come");
  places.page(TALK, page(7, 12), true);
  assert.deepEqual(places.cursors(), { [TALK]: 12 });
  places.page(OTHER, [], true);
  assert.equal(places.arrived(OTHER, 1), true);
});

test("the cursor that moved last is the last", () => {
  const places = new Places({ [OTHER]: 1, [TALK]: 1 });
  places.arrived(OTHER, 2);
  assert.deepEqual(Object.keys(places.cursors()), [TALK, OTHER]);
});

const entry = (key, conversation = TALK) => ({ key, conversation, text: key });
const keys = (entries) => entries.map(({ key }) => key);
const busy = { code: "busy", retry_after_ms: 100 };
const blocked = { code: "blocked", retry_after_ms: 1000 };

test("what was refused for now goes again before what came after it", () => {
  const outbox = new Outbox();
  for (const key of ["a", "b", "c"]) outbox.add(entry(key));
  outbox.add(entry("x", OTHER));
  assert.deepEqual(keys(outbox.take(0)), ["a", "b", "c", "x"]);
  outbox.refused("a", busy, 0);
  outbox.add(entry("d"));
  assert.deepEqual(keys(outbox.take(200)), [], "b and c are still under way and would be overtaken");
  assert.equal(outbox.wakeAt(), undefined, "only an answer changes that");
  outbox.refused("b", blocked, 50);
  outbox.refused("c", blocked, 60);
  assert.equal(outbox.wakeAt(), 100);
  assert.deepEqual(keys(outbox.take(99)), []);
  assert.deepEqual(keys(outbox.take(100)), ["a", "b", "c", "d"]);
  assert.equal(outbox.wakeAt(), undefined);
});

test("other conversations are not held up", () => {
  const outbox = new Outbox();
  outbox.add(entry("a"));
  outbox.take(0);
  outbox.refused("a", busy, 0);
  outbox.add(entry("x", OTHER));
  assert.deepEqual(keys(outbox.take(1)), ["x"]);
});

test("what was refused for good waits for its writer, and lets the others pass", () => {
  const outbox = new Outbox();
  for (const key of ["a", "b"]) outbox.add(entry(key));
  outbox.take(0);
  outbox.refused("a", { code: "invalid", message: "no" }, 0);
  outbox.remove("b");
  assert.deepEqual(outbox.entries(), [{ ...entry("a"), state: "failed", reason: "no" }]);
  assert.deepEqual(outbox.take(1e9), []);
  outbox.retry("a");
  assert.deepEqual(keys(outbox.take(0)), ["a"]);
});

test("a lost connection sends again what was under way, at once and in order", () => {
  const outbox = new Outbox();
  for (const key of ["a", "b"]) outbox.add(entry(key));
  outbox.take(0);
  outbox.refused("a", busy, 0);
  outbox.disconnected();
  assert.deepEqual(keys(outbox.take(0)), ["a", "b"]);
});

test("few are under way at once", () => {
  const outbox = new Outbox();
  for (let i = 0; i < 100; i += 1) outbox.add(entry(`${i}`));
  const first = keys(outbox.take(0));
  assert.ok(first.length < 64);
  assert.deepEqual(keys(outbox.take(0)), []);
  outbox.remove("0");
  assert.deepEqual(keys(outbox.take(0)), [`${first.length}`]);
});

test("an outbox goes on where a saved one stopped", () => {
  const outbox = new Outbox();
  for (const key of ["a", "b"]) outbox.add(entry(key));
  outbox.take(0);
  outbox.refused("a", { code: "invalid", message: "no" }, 0);
  const next = new Outbox(JSON.parse(JSON.stringify(outbox.entries())));
  assert.deepEqual(keys(next.take(0)), ["b"]);
  assert.equal(next.find("a").state, "failed");
});
