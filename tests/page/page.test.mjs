// The parts of the page that need no document.

import assert from "node:assert/strict";
import test from "node:test";

import { OTHER, TALK } from "./support.mjs";

const assets = "../../src/door/page/assets";
const { Rows } = await import(`${assets}/rows.js`);
const { describe } = await import(`${assets}/events.js`);
const { colourOf, initials } = await import(`${assets}/avatar.js`);
const { counted, dayName, lastSeen, listed } = await import(`${assets}/format.js`);
const { Ticks } = await import(`${assets}/ticks.js`);
const { Typers } = await import(`${assets}/typers.js`);

const ann = { user: "ann", role: "user" };
const members = (...users) => users.map((user) => ({ user, name: user }));
const last = (seq, from, text = `${seq}`) => ({ seq, from, at: seq, text });
const message = (seq, from, conversation = TALK) => ({ conversation, ...last(seq, from) });
const direct = (more = {}) => ({
  conversation: TALK,
  kind: "direct",
  members: members("ann", "bob"),
  last_seq: 4,
  last: last(4, "bob"),
  unread: 2,
  ...more,
});
const desk = (more = {}) => direct({ kind: "support", members: members("eve", "team"), last: last(4, "eve"), ...more });

test("a message makes its row the latest, and unread unless it is one's own", () => {
  const rows = new Rows(ann);
  rows.put([direct()]);
  assert.equal(rows.message(message(5, "bob")), true);
  assert.deepEqual([rows.get(TALK).unread, rows.get(TALK).last.text], [3, "5"]);
  rows.message(message(5, "bob"));
  rows.message(message(6, "ann"));
  assert.deepEqual([rows.get(TALK).unread, rows.get(TALK).last_seq], [3, 6]);
  assert.equal(rows.message(message(9, "bob")), false, "of 7 and 8 nothing is known: read the row again");
  assert.equal(rows.message(message(1, "cy", OTHER)), false, "a row that is not here");
});

test("what happens to a group is not unread, and changes who is in it", () => {
  const rows = new Rows(ann);
  rows.put([direct({ kind: "group", name: "Trip", members: members("ann", "bob") })]);
  const happens = (seq, event, from = "bob") => rows.message({ ...message(seq, from), text: "", event });
  assert.equal(happens(5, { kind: "added", user: "cy" }), false, "how many are in it is read again");
  assert.equal(happens(6, { kind: "named", name: "Lake" }), true);
  happens(7, { kind: "role", user: "cy", role: "owner" });
  happens(8, { kind: "left" });
  const { unread, name, members: left, isLeft } = rows.get(TALK);
  assert.deepEqual(
    [unread, name, left.map(({ user, role }) => `${user} ${role ?? ""}`), isLeft],
    [2, "Lake", ["ann ", "cy owner"], undefined],
  );
  happens(9, { kind: "removed", user: "ann" }, "cy");
  assert.equal(rows.get(TALK).isLeft, true);
  happens(20, { kind: "added", user: "ann" }, "cy");
  assert.equal(rows.get(TALK).isLeft, false);
});

test("a row that was on its way while a message came does not undo it", () => {
  const rows = new Rows(ann);
  rows.put([direct()]);
  rows.message(message(5, "bob"));
  assert.deepEqual(rows.put([direct()]), [TALK], "to be read again");
  assert.deepEqual([rows.get(TALK).unread, rows.get(TALK).last_seq], [3, 5]);
  assert.deepEqual(rows.put([direct({ last_seq: 5, last: last(5, "bob"), unread: 1 })]), []);
  assert.equal(rows.get(TALK).unread, 1);
});

test("what was read here is not unread, whatever a row on its way says", () => {
  const rows = new Rows(ann);
  rows.put([direct()]);
  assert.equal(rows.receipt({ conversation: TALK, user: "bob", read: 4, delivered: 4 }), true);
  assert.equal(rows.unread(), 2);
  assert.equal(rows.receipt({ conversation: TALK, user: "ann", read: 3, delivered: 4 }), false, "some are left: ask");
  assert.equal(rows.receipt({ conversation: TALK, user: "ann", read: 4, delivered: 4 }), true);
  rows.put([direct()]);
  assert.equal(rows.unread(), 0);
});

test("unread counts of conversations that are not loaded count until they are", () => {
  const rows = new Rows(ann);
  rows.put([direct()]);
  rows.counts({ [TALK]: 2, [OTHER]: 5 });
  assert.equal(rows.unread(), 7);
  rows.put([direct({ conversation: OTHER, unread: 1 })]);
  assert.equal(rows.unread(), 3);
});

test("agents sit in others' talks with the team as the team, and answer for it together", () => {
  const rows = new Rows({ user: "sue", role: "admin" });
  rows.put([desk()]);
  const row = rows.get(TALK);
  assert.deepEqual([rows.isDesk(row), rows.seat(row), rows.peer(row)], [true, "team", "eve"]);
  rows.message(message(5, "tom"));
  assert.equal(rows.get(TALK).unread, 2, "another agent's answer is not unread");
  rows.receipt({ conversation: TALK, user: "team", read: 5, delivered: 5 });
  assert.equal(rows.get(TALK).unread, 0);
  const person = new Rows({ user: "eve", role: "user" });
  person.put([desk()]);
  assert.deepEqual([person.isDesk(row), person.seat(row), person.peer(row)], [false, "eve", "team"]);
  const own = new Rows({ user: "eve", role: "admin" });
  assert.equal(own.isDesk(row), false, "an agent's own question is not theirs to answer");
});

test("the later assignment is true, in whatever order they come", () => {
  const rows = new Rows({ user: "sue", role: "admin" });
  rows.put([desk({ assignment: { state: "open", change: 1 } })]);
  rows.assignment({ type: "assignment", conversation: TALK, state: "claimed", agent: "tom", change: 3 });
  rows.assignment({ type: "assignment", conversation: TALK, state: "claimed", agent: "sue", change: 2 });
  assert.equal(rows.get(TALK).assignment.agent, "tom");
  rows.put([desk({ assignment: { state: "open", change: 2 } })]);
  assert.equal(rows.get(TALK).assignment.agent, "tom");
  rows.assignment({ conversation: TALK, state: "closed", change: 4 });
  assert.deepEqual([rows.get(TALK).assignment.state, rows.get(TALK).assignment.type], ["closed", undefined]);
});

test("what happened to a group is said in words, and what is not known is left out", () => {
  const called = (user) => (user === "ann" ? "You" : user);
  assert.equal(describe({ kind: "created", name: "Trip" }, "ann", called), "You made the group “Trip”");
  assert.equal(describe({ kind: "added", user: "ann" }, "bob", called), "bob added you");
  assert.equal(describe({ kind: "role", user: "cy", role: "owner" }, "bob", called), "bob made cy an owner");
  assert.equal(describe({ kind: "pinned" }, "bob", called), undefined);
});

test("a name gives two letters at most, an id always the same colour", () => {
  assert.deepEqual(["Ann", "ann.lee", "Ann Lee Smith", "ann@example.com", "", "_"].map(initials), [
    "A",
    "AL",
    "AL",
    "AE",
    "?",
    "_",
  ]);
  assert.equal(colourOf("ann"), colourOf("ann"));
  assert.ok(new Set([..."abcdefghijklmnopqrst"].map(colourOf)).size > 6);
});

test("times are said as people say them", () => {
  const noon = new Date(2026, 4, 13, 12, 0).getTime();
  const hours = (count) => noon - count * 3_600_000;
  assert.deepEqual(
    [hours(1), hours(20), hours(47)].map((at) => dayName(at, noon)),
    ["Today", "Yesterday", "Monday"],
  );
  assert.match(dayName(hours(24 * 20), noon), /2026/);
  assert.equal(lastSeen(noon - 10_000, noon), "last seen just now");
  assert.equal(lastSeen(noon - 60_000, noon), "last seen 1 minute ago");
  assert.match(lastSeen(hours(3), noon), /today at/);
  assert.equal(counted(2, "message"), "2 messages");
  assert.equal(listed(["a", "b", "c"]), "a, b and c");
});

test("a message is read when all have read it", () => {
  const ticks = new Ticks();
  assert.equal(ticks.stateOf(3, ["bob"]), "sent");
  assert.equal(ticks.heard({ user: "bob", read: 1, delivered: 3 }), true);
  assert.equal(ticks.stateOf(3, ["bob"]), "delivered");
  assert.equal(ticks.stateOf(3, ["bob", "cy"]), "sent");
  ticks.heard({ user: "cy", read: 3 });
  assert.equal(ticks.stateOf(3, ["bob", "cy"]), "delivered");
  ticks.heard({ user: "bob", read: 3, delivered: 0 });
  assert.equal(ticks.stateOf(3, ["bob", "cy"]), "read");
  assert.equal(ticks.heard({ user: "bob", read: 1, delivered: 1 }), false, "they only grow");
  assert.equal(ticks.stateOf(3, []), "sent", "in a conversation with oneself nobody else reads");
});

test("whoever writes is seen writing until they stop, send, or it wears off", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const told = [];
  const typers = new Typers({ user: "ann", typing: (frame) => told.push(frame.active) });
  typers.heard({ conversation: TALK, user: "bob", active: true, expires_ms: 6_000 });
  typers.heard({ conversation: TALK, user: "ann", active: true, expires_ms: 6_000 });
  assert.deepEqual(typers.in(TALK), ["bob"]);
  typers.stopped(TALK, "bob");
  assert.deepEqual(typers.in(TALK), []);
  typers.heard({ conversation: TALK, user: "bob", active: true, expires_ms: 6_000 });
  context.mock.timers.tick(6_000);
  assert.deepEqual(typers.in(TALK), []);

  typers.write({ conversation: TALK });
  typers.write({ conversation: TALK });
  assert.deepEqual(told, [true], "not for each key");
  context.mock.timers.tick(2_500);
  typers.write({ conversation: TALK });
  context.mock.timers.tick(5_000);
  assert.deepEqual(told, [true, true, false]);
  typers.write({ conversation: TALK });
  typers.stop({ isSent: true });
  assert.deepEqual(told, [true, true, false, true], "the message says it");
});
