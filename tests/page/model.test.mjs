// The client against a server that refuses, forgets to answer and cuts connections at random, as the real one may:
// whatever happens, every message is stored once and in the order in which it was written, and each client shows every
// message of the conversation once.

import assert from "node:assert/strict";
import test from "node:test";

import { TALK, World, chance } from "./support.mjs";

/** As many runs; a long run sets more. */
const SEEDS = Number(process.env.SWITCHBOARD_TEST_SEEDS ?? 100);

/** What docs/protocol.md promises of a server, over one conversation. */
class Server {
  stored = [];
  isCalm = false;
  #sessions = new Set();
  #random;

  constructor(random) {
    this.#random = random;
  }

  connect(user, socket) {
    const session = { user, socket, refused: new Map(), sending: new Set(), asked: [], position: 0 };
    socket.onSend = (frame) => this.#hear(session, frame);
    socket.close = () => this.#sessions.delete(session);
    socket.accept();
    return session;
  }

  cut(session) {
    this.#sessions.delete(session);
    session.socket.onSend = () => {};
    session.socket.end(this.#random() < 0.5 ? 1006 : 1013);
  }

  /** Tells sessions what they do not know yet: some of it now, some later. */
  deliver(all = false) {
    for (const session of this.#sessions) {
      while (session.position < this.stored.length && (all || this.#random() < 0.7)) {
        const message = this.stored[session.position];
        // An own message is shown by its `sent`, and what comes after it waits for that.
        if (message.from === session.user && session.sending.has(message.key)) break;
        session.position += 1;
        session.socket.say({ type: "message", ...message });
      }
    }
  }

  /** Answers what was asked, in its order: some of it now, some later. */
  answer(all = false) {
    for (const session of this.#sessions) {
      while (session.asked.length > 0 && (all || this.#random() < 0.6)) this.#answer(session, session.asked.shift());
    }
  }

  #hear(session, frame) {
    if (frame.type === "hello") return this.#welcome(session, frame);
    if (frame.type === "ping") return session.socket.say({ type: "pong", as_of: String(session.position) });
    assert.equal(frame.type, "send");
    session.sending.add(frame.key);
    session.turn = (session.turn ?? 0) + 1;
    return session.asked.push({ ...frame, turn: session.turn });
  }

  /** A session starts at the client's cursor, or a margin before its as_of. */
  #welcome(session, { resume }) {
    const asOf = Number(resume?.as_of ?? this.stored.length);
    session.position = resume?.cursors[TALK] ?? Math.max(0, asOf - Math.floor(this.#random() * 5));
    this.#sessions.add(session);
    session.socket.say({ type: "welcome", user: session.user, as_of: String(asOf), expires: 1e12 });
  }

  #answer(session, { key, text, turn }) {
    if (!this.#sessions.has(session)) return;
    const ownTurn = session.refused.get(key) ?? turn;
    const refuse = (code) => {
      session.refused.set(key, ownTurn);
      session.sending.delete(key);
      session.socket.say({ type: "error", code, message: "later", key, conversation: TALK, retry_after_ms: 50 });
    };
    // While an earlier one that was refused has not come back, nothing overtakes it.
    if ([...session.refused.values()].some((before) => before < ownTurn)) return refuse("blocked");
    const fate = this.isCalm ? 1 : this.#random();
    if (fate < 0.15) return refuse("busy");
    session.refused.delete(key);
    let message = this.stored.find((known) => known.from === session.user && known.key === key);
    if (!message) {
      const seq = this.stored.length + 1;
      message = { conversation: TALK, seq, id: "0".repeat(24), from: session.user, key, at: 1, text };
      this.stored.push(message);
    }
    // Stored, but the answer is lost with its connection.
    if (fate < 0.25) return this.cut(session);
    session.sending.delete(key);
    const { seq, id } = message;
    const shown = seq === session.position + 1;
    if (shown) session.position = seq;
    session.socket.say({ type: "sent", key, conversation: TALK, seq, id, at: 1, shown });
  }
}

async function run(seed) {
  const random = chance(seed);
  const world = new World(random);
  const server = new Server(random);
  const clients = {};
  const sessions = {};
  const connected = new Set();
  const admit = () => {
    for (const socket of world.sockets.filter((each) => !connected.has(each))) {
      connected.add(socket);
      const user = new URL(socket.url).pathname.slice(1);
      sessions[user] = server.connect(user, socket);
    }
  };
  for (const user of ["ann", "bob"]) {
    clients[user] = world.client({ url: `ws://door/${user}` });
    clients[user].start();
  }
  await world.settle();
  admit();
  for (let step = 0; step < 120; step += 1) {
    const user = random() < 0.5 ? "ann" : "bob";
    const act = random();
    if (act < 0.5) clients[user].send({ conversation: TALK, text: `${user} ${step}` });
    else if (act < 0.6 && clients[user].status.state === "online") server.cut(sessions[user]);
    else if (act < 0.8) server.answer();
    else server.deliver();
    await world.pass(random() * 60);
    admit();
  }
  server.isCalm = true;
  for (let i = 0; i < 60; i += 1) {
    await world.pass(1_000);
    admit();
    server.answer(true);
    server.deliver(true);
  }
  return { server, clients };
}

test("every message is stored once, in order, and shown once by everybody", async () => {
  let messages = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { server, clients } = await run(seed);
    messages += server.stored.length;
    for (const [user, client] of Object.entries(clients)) {
      assert.deepEqual(client.pending(), [], `seed ${seed}: ${user} has nothing left to send`);
      const own = server.stored.filter(({ from }) => from === user).map(({ text }) => Number(text.split(" ")[1]));
      assert.deepEqual(own, [...own].sort((a, b) => a - b), `seed ${seed}: ${user}'s are stored in order`);
      const shown = client.messages().map(({ seq }) => seq);
      assert.deepEqual([...shown].sort((a, b) => a - b), server.stored.map(({ seq }) => seq), `seed ${seed}: ${user}`);
      const others = client.messages().filter(({ from }) => from !== user).map(({ seq }) => seq);
      assert.deepEqual(others, [...others].sort((a, b) => a - b), `seed ${seed}: others' come in order`);
    }
  }
  assert.ok(messages > SEEDS * 50, `${messages} messages`);
});
