// What the client asks besides messages: groups, claims, presence and the like, and what it makes of older servers.

import assert from "node:assert/strict";
import test from "node:test";

import { OTHER, TALK, World, groupConversation, message, sent, supportConversation } from "./support.mjs";

const last = (world) => world.socket.sent.at(-1);

test("ids of talks with the team and of groups follow from who is in them", async () => {
  assert.equal(await supportConversation("ann"), "52779bc0bd601d8ad52ccba1df37ec06");
  assert.equal((await groupConversation("ann", "k1")).length, 32);
  assert.notEqual(await groupConversation("ann", "k1"), await groupConversation("ann", "k2"));
});

test("a watch is answered by the snapshot of all that it named, not by a change of one", async () => {
  const world = new World();
  const client = await world.online();
  const heard = [];
  client.addEventListener("presence", ({ detail }) => heard.push(detail.users.length));
  const watched = client.watch(["bob", "cy"]);
  assert.deepEqual(last(world), { type: "watch", users: ["bob", "cy"] });
  let isDone = false;
  void watched.then(() => (isDone = true));
  world.socket.say({ type: "presence", users: [{ user: "bob", online: true }] });
  await world.settle();
  assert.equal(isDone, false);
  world.socket.say({
    type: "presence",
    users: [
      { user: "bob", online: true },
      { user: "cy", online: false, last_seen: 5 },
    ],
  });
  assert.equal((await watched).users[1].last_seen, 5);
  assert.deepEqual(heard, [1, 2]);
});

test("a watch ends with its connection", async () => {
  const world = new World();
  const client = await world.online();
  const watched = client.watch(["bob"]);
  world.socket.end(1006);
  await assert.rejects(watched, /connection/);
  assert.equal(client.pending().length, 0);
});

test("a claim is answered by one's own, and a conflict tells what is true", async () => {
  const world = new World();
  const client = await world.online({}, { role: "admin" });
  const heard = [];
  client.addEventListener("assignment", ({ detail }) => heard.push(detail.agent));
  const claimed = client.claim({ conversation: TALK, action: "claim" });
  world.socket.say({ type: "assignment", conversation: OTHER, agent: "ann", state: "claimed", by: "ann" });
  world.socket.say({ type: "assignment", conversation: TALK, agent: "tom", state: "claimed", by: "tom" });
  const truth = { agent: "tom", state: "claimed", change: 1 };
  world.socket.say({
    type: "error",
    code: "conflict",
    message: "tom was faster",
    conversation: TALK,
    assignment: truth,
  });
  await assert.rejects(claimed, (error) => error.code === "conflict" && error.assignment.agent === "tom");
  const passed = client.claim({ conversation: TALK, action: "pass", to: "ann", from: "tom" });
  assert.deepEqual(last(world), { type: "claim", conversation: TALK, action: "pass", to: "ann", from: "tom" });
  world.socket.say({ type: "assignment", conversation: TALK, agent: "ann", state: "claimed", by: "ann" });
  assert.equal((await passed).agent, "ann");
  assert.deepEqual(heard, ["ann", "tom", "ann"]);
});

test("a conflict does not make the client forget where it is", async () => {
  const world = new World();
  const client = await world.online({ saved: { as_of: "as-of-0", cursors: { [TALK]: 4 } } });
  world.socket.say({ type: "error", code: "conflict", message: "late", conversation: TALK });
  assert.deepEqual(client.saved().cursors, { [TALK]: 4 });
});

test("an agent who reads is answered by the team's receipt", async () => {
  const world = new World();
  const agent = await world.online({}, { role: "admin" });
  const read = agent.read(TALK, 3);
  world.socket.say({ type: "receipt", conversation: TALK, user: "team", read: 3, delivered: 3 });
  assert.equal((await read).user, "team");
  const other = new World();
  const person = await other.online();
  let isDone = false;
  void person.read(TALK, 3).then(() => (isDone = true));
  other.socket.say({ type: "receipt", conversation: TALK, user: "team", read: 3, delivered: 3 });
  await other.settle();
  assert.equal(isDone, false, "the team's is not a person's own");
});

test("what a server does not know fails at once, until another server may answer", async () => {
  const world = new World();
  const client = await world.online();
  const first = client.unread();
  world.socket.say({ type: "error", code: "bad_frame", message: "unknown variant" });
  await assert.rejects(first, { code: "bad_frame" });
  assert.equal(client.lacks("unread"), true);
  const before = world.socket.sent.length;
  await assert.rejects(client.unread(), { code: "bad_frame" });
  assert.equal(world.socket.sent.length, before, "it is not asked again");
  const list = client.conversations();
  world.socket.say({ type: "conversations", conversations: [] });
  await list;
  world.socket.end(1001);
  await world.pass(600);
  await world.welcome();
  assert.equal(client.lacks("unread"), false);
});

test("a group is made by a message, which is sent again until it is stored", async () => {
  const world = new World();
  const client = await world.online();
  const made = client.group({ action: "create", name: "Trip", members: ["bob"], history: true });
  while (last(world).type !== "group") await new Promise((next) => setTimeout(next, 1));
  const frame = last(world);
  assert.deepEqual(
    { ...frame, key: "" },
    { type: "group", key: "", action: "create", name: "Trip", members: ["bob"], history: true },
  );
  const conversation = await groupConversation("ann", frame.key);
  assert.deepEqual(client.pending(), [], "it is no message that is shown as under way");
  world.socket.end(1006);
  await world.pass(600);
  await world.welcome();
  assert.deepEqual(last(world), frame);
  world.socket.say({ ...sent(frame.key, 1), conversation });
  assert.equal(await made, conversation);
  const [shown] = client.messages();
  assert.deepEqual([shown.text, shown.event.kind, shown.event.name], ["", "created", "Trip"]);
});

test("who is added again is shown what comes from there on, though places are missing in between", async () => {
  const world = new World();
  const client = await world.online({ saved: { as_of: "as-of-0", cursors: { [TALK]: 4 } } });
  world.socket.say(message(5, "bob", { text: "", event: { kind: "removed", user: "ann" } }));
  world.socket.say(message(12, "bob", { text: "", event: { kind: "added", user: "ann" } }));
  world.socket.say(message(13, "bob"));
  world.socket.say(message(13, "bob"));
  assert.deepEqual(
    client.messages().map(({ seq }) => seq),
    [5, 12, 13],
  );
  assert.deepEqual(client.saved().cursors, { [TALK]: 13 });
});

test("a refused change of a group fails and is forgotten", async () => {
  const world = new World();
  const client = await world.online();
  const change = client.group({ conversation: TALK, action: "add", user: "eve" });
  await world.settle();
  const { key, ...frame } = last(world);
  assert.deepEqual(frame, { type: "group", conversation: TALK, action: "add", user: "eve" });
  world.socket.say({ type: "error", code: "forbidden", message: "only owners add", key, conversation: TALK });
  await assert.rejects(change, { code: "forbidden", message: "only owners add" });
  assert.deepEqual(client.saved().pending, []);
});

test("what names the place before its own goes alone, and expects what was stored before it", async () => {
  const world = new World();
  const client = await world.online();
  const one = client.send({ conversation: TALK, text: "one", head: 4 });
  const two = client.send({ conversation: TALK, text: "two", head: 4 });
  client.send({ conversation: OTHER, text: "elsewhere" });
  assert.deepEqual(
    world.socket.sent.slice(1).map(({ text, head }) => [text, head]),
    [
      ["one", 4],
      ["elsewhere", undefined],
    ],
  );
  world.socket.say(sent(one, 5));
  assert.deepEqual([last(world).text, last(world).head], ["two", 5]);
  world.socket.say(sent(two, 6));
  assert.deepEqual(
    client.pending().map(({ text }) => text),
    ["elsewhere"],
  );
});

test("after a conflict the words are kept, and go only when their writer says so, as another message", async () => {
  const world = new World();
  const client = await world.online();
  const key = client.send({ conversation: TALK, text: "Hello", head: 4 });
  const met = [{ ...message(5, "tom"), type: undefined }];
  world.socket.say({
    type: "error",
    code: "conflict",
    message: "others wrote",
    key,
    conversation: TALK,
    messages: met,
    more: false,
  });
  const [entry] = client.pending();
  assert.deepEqual([entry.state, entry.text, entry.conflict.messages.length], ["failed", "Hello", 1]);
  client.retry(key);
  assert.deepEqual([last(world).text, last(world).head], ["Hello", undefined]);
  assert.notEqual(last(world).key, key);
});

test("typing is told on the connection of now, and not beside a request about the same conversation", async () => {
  const world = new World();
  const client = world.client();
  assert.equal(client.typing({ conversation: TALK, active: true }), false);
  client.start();
  await world.welcome();
  assert.equal(client.typing({ conversation: TALK, active: true }), true);
  assert.deepEqual(last(world), { type: "typing", conversation: TALK, active: true });
  assert.equal(client.typing({ conversation: TALK, to: "bob", active: false }), true);
  assert.deepEqual(last(world), { type: "typing", to: "bob", active: false });
  const page = client.history(TALK);
  assert.equal(client.typing({ conversation: TALK, active: true }), false);
  assert.equal(client.typing({ conversation: OTHER, active: true }), true);
  world.socket.say({ type: "history", conversation: TALK, messages: [], more: false });
  await page;
  assert.equal(client.typing({ conversation: TALK, active: true }), true);
});

test("need not wait for its next attempt, and says when its node is leaving", async () => {
  const world = new World();
  const client = await world.online();
  client.reconnect();
  assert.equal(world.sockets.length, 1, "nothing to hurry");
  world.socket.say({ type: "reconnect", after_ms: 3_000 });
  assert.equal(client.status.state, "leaving");
  world.socket.end(1012);
  assert.equal(client.status.state, "waiting");
  assert.ok(client.status.retryInMs >= 3_000);
  client.reconnect();
  await world.welcome();
  assert.equal(client.status.state, "online");
  await world.pass(10_000);
  assert.equal(world.sockets.length, 2, "the attempt that was waited for does not come as well");
});
