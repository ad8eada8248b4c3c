// The client against a scripted server.

import assert from "node:assert/strict";
import test from "node:test";

import { OTHER, TALK, World, directConversation, message, sent } from "./support.mjs";

const types = (socket) => socket.sent.map(({ type }) => type);

test("says hello first, with the subprotocol that stands for JSON", async () => {
  const world = new World();
  world.client().start();
  await world.settle();
  assert.deepEqual(world.socket.protocols, ["switchboard.v1.json"]);
  world.socket.accept();
  assert.deepEqual(world.socket.sent, [{ type: "hello", token: "token" }]);
});

test("sends what was written before there was a connection, in order", async () => {
  const world = new World();
  const client = world.client();
  client.send({ conversation: TALK, text: "one" });
  client.send({ conversation: TALK, to: "bob", text: "two" });
  client.start();
  await world.welcome();
  const [, one, two] = world.socket.sent;
  assert.deepEqual([one.conversation, one.to, one.text], [TALK, undefined, "one"]);
  assert.deepEqual([two.conversation, two.to, two.text], [undefined, "bob", "two"]);
  assert.match(one.key, /^[0-9a-f]{32}$/);
  world.socket.say(sent(one.key, 1));
  world.socket.say(sent(two.key, 2));
  assert.deepEqual(client.messages().map(({ seq, from, text }) => [seq, from, text]), [
    [1, "ann", "one"],
    [2, "ann", "two"],
  ]);
  assert.deepEqual(client.pending(), []);
});

test("shows its own message once, whether it comes by its sent, before it or after it", async () => {
  const world = new World();
  const client = await world.online({ saved: { as_of: "as-of-0", cursors: { [TALK]: 4 } } });
  const [a, b, c] = ["a", "b", "c"].map((text) => client.send({ conversation: TALK, text }));
  world.socket.say(sent(a, 5));
  world.socket.say(message(5, "ann", { key: a, text: "a" }));
  world.socket.say(message(6, "ann", { key: b, text: "b" }));
  world.socket.say(sent(b, 6, false));
  world.socket.say(sent(c, 8, false));
  world.socket.say(message(7));
  world.socket.say(message(8, "ann", { key: c, text: "c" }));
  assert.deepEqual(client.messages().map(({ seq }) => seq), [5, 6, 8, 7]);
  assert.deepEqual(client.saved().cursors, { [TALK]: 8 });
});

test("refuses to send what the server could not answer", () => {
  const client = new World().client();
  assert.throws(() => client.send({ conversation: "talk", text: "hi" }), /conversation/);
  assert.throws(() => client.send({ conversation: TALK, to: "b b", text: "hi" }), /user id/);
  assert.throws(() => client.send({ conversation: TALK, text: "" }), /says something/);
  assert.throws(() => client.send({ conversation: TALK, text: "ü".repeat(8193) }), /16 KiB/);
  assert.deepEqual(client.pending(), []);
});

test("comes back with the newest as_of and its cursors, and sends again with the same key", async () => {
  const world = new World();
  const client = await world.online();
  world.socket.say(message(4));
  const key = client.send({ conversation: TALK, text: "hello" });
  world.socket.say({ type: "pong", as_of: "as-of-2" });
  world.socket.end(1006);
  assert.equal(client.status.state, "waiting");
  await world.pass(1_000);
  world.socket.accept();
  assert.deepEqual(world.socket.sent, [
    { type: "hello", token: "token", resume: { as_of: "as-of-2", cursors: { [TALK]: 4 } } },
  ]);
  world.socket.say({ type: "welcome", user: "ann", as_of: "as-of-2", expires: 1e12 });
  assert.deepEqual(world.socket.sent[1], { type: "send", conversation: TALK, key, text: "hello" });
  // The first attempt was stored all the same, and comes as a message first.
  world.socket.say(message(5, "ann", { key, text: "hello" }));
  world.socket.say(sent(key, 5, false));
  assert.deepEqual(client.messages().map(({ seq }) => seq), [4, 5]);
  assert.deepEqual(client.pending(), []);
});

test("names many cursors in parts, the latest first", async () => {
  const cursors = Object.fromEntries(Array.from({ length: 120 }, (_, i) => [i.toString(16).padStart(32, "0"), i + 1]));
  const world = new World();
  const client = await world.online({ saved: { as_of: "as-of-0", cursors } });
  const parts = [world.socket.sent[0].resume.cursors];
  for (const continued of [50, 20]) {
    const frame = world.socket.sent.at(-1);
    assert.equal(frame.type, "resume");
    parts.push(frame.cursors);
    world.socket.say({ type: "resumed", continued });
    await world.settle();
  }
  assert.deepEqual(parts.map((part) => Object.keys(part).length), [50, 50, 20]);
  assert.equal(Object.values(parts[0])[0], 120);
  assert.deepEqual(Object.assign({}, ...parts), cursors);
  assert.deepEqual(client.saved().cursors, cursors);
});

test("waits as a refusal says, and then sends everything again in order", async () => {
  const world = new World();
  const client = await world.online();
  const [a, b] = ["a", "b"].map((text) => client.send({ conversation: TALK, text }));
  const refusal = { type: "error", message: "later", conversation: TALK };
  world.socket.say({ ...refusal, code: "rate_limited", key: a, retry_after_ms: 400 });
  world.socket.say({ ...refusal, code: "blocked", key: b, retry_after_ms: 1_000 });
  await world.pass(399);
  assert.equal(world.socket.sent.length, 3);
  await world.pass(1);
  assert.deepEqual(world.socket.sent.slice(3).map(({ key }) => key), [a, b]);
});

test("repeats a refused message although it came as a message meanwhile: the server waits for its key", async () => {
  const world = new World();
  const client = await world.online();
  const [a, b] = ["a", "b"].map((text) => client.send({ conversation: TALK, text }));
  const refusal = { type: "error", message: "later", conversation: TALK, retry_after_ms: 100 };
  world.socket.say({ ...refusal, code: "unavailable", key: a });
  world.socket.say({ ...refusal, code: "blocked", key: b });
  world.socket.say(message(1, "ann", { key: a, text: "a" }));
  assert.deepEqual(client.pending().map(({ key }) => key), [b], "it is shown, and no longer pending");
  await world.pass(100);
  assert.deepEqual(world.socket.sent.slice(3).map(({ key }) => key), [a, b]);
  world.socket.say(sent(a, 1));
  world.socket.say(sent(b, 2));
  assert.deepEqual(client.messages().map(({ text }) => text), ["a", "b"]);
  assert.deepEqual(client.saved().pending, []);
});

test("after close codes that say so it does not come back", async () => {
  for (const code of [1002, 1003, 1007, 1008, 1009, 4403]) {
    const world = new World();
    const client = await world.online();
    const key = client.send({ conversation: TALK, text: "kept" });
    world.socket.end(code, "why");
    await world.pass(120_000);
    assert.equal(world.sockets.length, 1, `${code}`);
    assert.deepEqual(client.status, { state: "stopped", code, reason: "why" });
    assert.deepEqual(client.saved().pending.map((entry) => entry.key), [key]);
  }
});

test("after all others it comes back", async () => {
  for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013, 4401, 4408, 4429]) {
    const world = new World();
    let number = 0;
    await world.online({ token: () => `token ${(number += 1)}` });
    world.socket.end(code);
    await world.pass(500);
    assert.equal(world.sockets.length, 2, `${code}`);
  }
});

test("does not try a refused token again", async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  world.socket.accept();
  world.socket.say({ type: "error", code: "unauthorized", message: "no" });
  world.socket.end(4401, "token refused");
  await world.pass(60_000);
  assert.equal(world.sockets.length, 1);
  assert.equal(client.status.state, "stopped");
  assert.equal(client.status.code, 4401);
});

test("waits longer and longer for a server that is away, and not for one that has been there", async () => {
  const world = new World(() => 1);
  await world.online();
  const waits = [];
  for (let i = 0; i < 9; i += 1) {
    const from = world.now;
    const { length } = world.sockets;
    world.socket.end(1006);
    while (world.sockets.length === length) await world.pass(50);
    waits.push(world.now - from);
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  await world.welcome();
  await world.pass(6_000);
  world.socket.end(1006);
  await world.pass(500);
  assert.equal(world.sockets.length, 11);
});

test("a connection that is not welcomed in time is given up", async () => {
  const world = new World();
  world.client().start();
  await world.settle();
  world.socket.accept();
  await world.pass(11_000);
  assert.equal(world.sockets.length, 2);
  assert.ok(world.sockets[0].isClosed);
});

test("obeys `reconnect`: sends nothing more, and comes back after the wait", async () => {
  const world = new World(() => 0);
  const client = await world.online();
  const key = client.send({ conversation: TALK, text: "before" });
  world.socket.say({ type: "reconnect", after_ms: 3_000 });
  client.send({ conversation: TALK, text: "after" });
  assert.deepEqual(types(world.socket), ["hello", "send"]);
  world.socket.say(sent(key, 1));
  world.socket.end(1012);
  await world.pass(2_999);
  assert.equal(world.sockets.length, 1);
  await world.pass(1);
  await world.welcome();
  assert.deepEqual(world.socket.sent.slice(1).map(({ text }) => text), ["after"]);
});

test("asks for a sign of life, also while others speak, and gives up a silent connection", async () => {
  const world = new World();
  const client = await world.online();
  for (let i = 0; i < 3; i += 1) {
    await world.pass(14_000);
    world.socket.say(message(i + 1));
    await world.pass(1_000);
    assert.equal(types(world.socket).at(-1), "ping");
    world.socket.say({ type: "pong", as_of: `as-of-${i}` });
  }
  assert.equal(client.saved().as_of, "as-of-2");
  await world.pass(24_999);
  assert.equal(client.status.state, "online");
  await world.pass(1);
  assert.equal(client.status.state, "waiting");
  assert.ok(world.sockets[0].isClosed);
});

test("gets a new token before the old one expires", async () => {
  const world = new World();
  let number = 0;
  const client = world.client({ token: () => `token ${(number += 1)}` });
  client.start();
  await world.welcome({ expires: 600_000 });
  for (let i = 0; i < 36; i += 1) {
    await world.pass(15_000);
    world.socket.say({ type: "pong", as_of: "x" });
  }
  const refreshes = world.socket.sent.filter(({ type }) => type === "refresh");
  assert.deepEqual(refreshes, [{ type: "refresh", token: "token 2" }]);
  world.socket.say({ type: "refreshed", expires: 1_200_000 });
  assert.equal(client.status.state, "online");
});

test("asks one thing at a time, and tells errors apart", async () => {
  const world = new World();
  const client = await world.online();
  const history = client.history(TALK, { limit: 10 });
  const list = client.conversations();
  assert.deepEqual(world.socket.sent.slice(1), [{ type: "history", conversation: TALK, limit: 10 }]);
  world.socket.say({ type: "error", code: "forbidden", message: "another's cursor", conversation: OTHER });
  world.socket.say({ type: "error", code: "unavailable", message: "later", conversation: TALK, retry_after_ms: 100 });
  await world.pass(100);
  assert.deepEqual(types(world.socket).slice(1), ["history", "history"]);
  world.socket.say({ type: "error", code: "forbidden", message: "not yours", conversation: TALK });
  await assert.rejects(history, { code: "forbidden" });
  await world.pass(0);
  assert.equal(types(world.socket).at(-1), "conversations");
  world.socket.say({ type: "conversations", conversations: [] });
  assert.deepEqual((await list).conversations, []);
});

test("asks again on the next connection what was not answered", async () => {
  const world = new World();
  const client = await world.online();
  const read = client.read(TALK, 3);
  world.socket.end(1006);
  await world.pass(1_000);
  await world.welcome();
  assert.deepEqual(world.socket.sent.at(-1), { type: "read", conversation: TALK, seq: 3 });
  world.socket.say({ type: "receipt", conversation: TALK, user: "bob", read: 9, delivered: 9 });
  world.socket.say({ type: "receipt", conversation: TALK, user: "ann", read: 3, delivered: 3 });
  assert.equal((await read).user, "ann");
});

test("forgets what comes from another history", async () => {
  const world = new World();
  const client = await world.online({ saved: { as_of: "old", cursors: { [TALK]: 900, [OTHER]: 5 } } });
  world.socket.say({ type: "error", code: "reset", message: "read again" });
  assert.deepEqual(client.saved().cursors, {});
  world.socket.say(message(3));
  assert.deepEqual(client.heard.slice(-2), [["reset", { conversation: undefined }], ["message", client.messages()[0]]]);
  world.socket.say({ type: "error", code: "reset", message: "read again", conversation: TALK });
  assert.deepEqual(client.heard.at(-1), ["reset", { conversation: TALK }]);
});

test("does not send one user's messages as another", async () => {
  const world = new World();
  const saved = { user: "bob", pending: [{ key: "k", conversation: TALK, text: "bob's" }], cursors: { [TALK]: 4 } };
  const client = await world.online({ saved });
  assert.deepEqual(types(world.socket), ["hello"]);
  assert.deepEqual(client.saved(), { user: "ann", as_of: "as-of-1", cursors: {}, pending: [] });
});

test("takes no notice of what a later server may say", async () => {
  const world = new World();
  const client = await world.online();
  world.socket.say({ type: "weather", rain: true });
  world.socket.say({ ...message(1), colour: "blue" });
  assert.equal(client.messages().length, 1);
});

test("names a direct conversation as the server does", async () => {
  assert.equal(await directConversation("ann", "bob"), "a1b8fa77e6fcf526ad43106fa5a06246");
  assert.equal(await directConversation("bob", "ann"), "a1b8fa77e6fcf526ad43106fa5a06246");
});
