// Plays an admin and a user of a classic chat with the official client, as its unchanged page does, against the addresses
// given. Prints one line for each thing that it saw, and fails at the first that is wrong.
//
// Environment: NODES (URLs, comma-separated), TRANSPORTS (e.g. "websocket", "polling", "polling,websocket"),
// ADMIN_TOKEN, USER_TOKEN (ids "agent-1" and "user-1"), OTHER_TOKEN ("user-2"); KILLS (commands, one a line: each is run
// in the middle of a talk, and may end a node), MEASURE (anything: say how long things take). The clients are in .tools/npm.
"use strict";
const { execSync } = require("node:child_process");
const assert = require("node:assert/strict");
const path = require("node:path");

const modules = path.join(__dirname, "..", "..", ".tools", "npm", "node_modules");
const { io } = require(path.join(modules, "socket.io-client"));
const nodes = process.env.NODES.split(",");
const transports = process.env.TRANSPORTS.split(",");
const tokens = { "agent-1": process.env.ADMIN_TOKEN, "user-1": process.env.USER_TOKEN, "user-2": process.env.OTHER_TOKEN };

const WAIT = 20_000;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// A page: it authenticates on every connect, and keeps what it hears.
class Page {
  constructor(id, url, options = {}) {
    this.id = id;
    this.heard = [];
    this.url = url;
    this.socket = io(url, {
      transports, reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 500, timeout: 20000, forceNew: true,
      ...options,
    });
    this.socket.on("connect", () => this.socket.emit("authenticate", options.token ?? tokens[id]));
    this.socket.onAny((name, ...args) => this.heard.push({ name, args }));
  }

  // The next event of this name, heard since the last one that was taken.
  async next(name, test = () => true) {
    const until = Date.now() + WAIT;
    while (Date.now() < until) {
      const at = this.heard.findIndex((event) => event.name === name && test(event.args[0]));
      if (at >= 0) return this.heard.splice(at, 1)[0].args[0];
      await sleep(5);
    }
    throw new Error(`${this.id} did not hear ${name}; but ${JSON.stringify(this.heard)}`);
  }

  async ready() {
    const answer = await this.next("authenticated", (answer) => answer.success);
    assert.equal(answer.userId, this.id);
    return this;
  }

  texts(name, beginning) {
    const events = this.heard.filter((event) => event.name === name).map((event) => event.args[0].message);
    return events.filter((text) => text.startsWith(beginning));
  }

  count(name) { return this.heard.filter((event) => event.name === name).length; }

  rest(method, route, body) {
    return fetch(`${this.url}/api/chat/${route}`, {
      method,
      headers: { authorization: `Bearer ${tokens[this.id]}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    }).then(async (answer) => ({ status: answer.status, body: await answer.json() }));
  }

  close() { this.socket.close(); }
}

const saw = (what) => console.log(`ok ${what}`);
const node = (n) => nodes[n % nodes.length];
const page = (id, n, options) => new Page(id, node(n), options);

async function refusals() {
  const wrong = page("user-1", 0, { token: "a.b.c" });
  assert.deepEqual(await wrong.next("authenticated"), { success: false, message: "Invalid token" });
  wrong.socket.emit("authenticate");
  assert.deepEqual(await wrong.next("authenticated"), { success: false, message: "No token provided" });
  wrong.socket.emit("send-message", { receiverId: "agent-1", message: "hi" });
  assert.equal((await wrong.next("error")).message, "Not authenticated");
  wrong.socket.emit("authenticate", { token: `Bearer ${tokens["user-1"]}` });
  await wrong.ready();
  for (const body of [{}, { receiverId: "agent-1" }, { receiverId: "agent-1", message: "  " }, undefined, null, 7]) {
    wrong.socket.emit("send-message", body);
    assert.equal((await wrong.next("error")).message, "Receiver ID and message are required");
  }
  wrong.socket.emit("send-message", { receiverId: "agent-1", message: Buffer.from("x") });
  assert.match((await wrong.next("error")).message, /Binary/);
  wrong.socket.emit("authenticate", tokens["user-1"]);
  await wrong.ready();
  wrong.close();

  const namespace = io(`${node(0)}/nowhere`, { transports, forceNew: true, reconnection: false });
  const refused = await new Promise((done) => namespace.on("connect_error", done));
  assert.equal(refused.message, "Invalid namespace");
  namespace.close();

  const handshake = io(node(0), { transports, forceNew: true, reconnection: false, auth: { token: "wrong" } });
  assert.equal((await new Promise((done) => handshake.on("connect_error", done))).message, "Invalid token");
  handshake.close();
  const unauthorized = await fetch(`${node(0)}/api/chat/unread-count`);
  assert.equal(unauthorized.status, 401);
  assert.deepEqual(await unauthorized.json(), { success: false, message: "No token provided" });
  const invalid = await fetch(`${node(0)}/api/chat/unread-count`, { headers: { authorization: "Bearer x.y.z" } });
  assert.deepEqual(await invalid.json(), { success: false, message: "Invalid token" });
  const bare = await fetch(`${node(0)}/socket.io/`);
  assert.equal(bare.status, 400);
  assert.deepEqual(await bare.json(), { code: 0, message: "Transport unknown" });
  saw("refusals");
}

async function old() {
  const io2 = require(path.join(modules, "sio2"));
  const answer = await fetch(`${node(0)}/socket.io/?EIO=3&transport=polling`);
  assert.equal(answer.status, 400);
  assert.deepEqual(await answer.json(), { code: 5, message: "Unsupported protocol version" });
  const socket = io2(node(0), { transports: ["polling"], reconnection: false, forceNew: true });
  await new Promise((done) => socket.on("connect_error", done));
  socket.close();
  saw("an old client is told so");
}

async function talk() {
  const admin = await page("agent-1", 0).ready();
  const user = await page("user-1", 1).ready();
  const second = await page("user-1", 2).ready();

  const found = await user.rest("GET", "admin");
  assert.equal(found.status, 200);
  const team = found.body._id;
  assert.equal(team, "agent-1");
  assert.equal(typeof found.body.name, "string");
  assert.deepEqual((await user.rest("GET", "conversations")), { status: 403, body: { message: "Access denied" } });

  user.socket.emit("typing", { receiverId: team });
  assert.equal((await admin.next("user-typing")).userId, "user-1");
  user.socket.emit("stop-typing", { receiverId: team });
  assert.equal((await admin.next("user-stop-typing")).userId, "user-1");
  user.socket.emit("typing", { receiverId: team });
  await admin.next("user-typing");
  const since = Date.now();
  assert.equal((await admin.next("user-stop-typing")).userId, "user-1");
  assert.ok(Date.now() - since > 3_000, "typing ends by itself");

  const before = (await admin.rest("GET", "unread-count")).body.count;
  user.socket.emit("send-message", { receiverId: team, message: "  I need help  " });
  const sent = await user.next("message-sent");
  const got = await admin.next("receive-message");
  for (const message of [sent, got]) {
    assert.match(message._id, /^[0-9a-f]{24}$/);
    assert.equal(message.message, "I need help");
    assert.equal(message.sender._id, "user-1");
    assert.equal(typeof message.sender.name, "string");
    assert.equal(typeof message.sender.email, "string");
    assert.equal(message.receiver._id, "agent-1");
    assert.equal(message.read, false);
    assert.match(message.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  }
  assert.equal(sent._id, got._id);
  assert.equal((await admin.rest("GET", "unread-count")).body.count, before + 1);

  const rows = (await admin.rest("GET", "conversations")).body;
  assert.ok(Array.isArray(rows));
  const row = rows.find((row) => row._id === "user-1");
  assert.equal(row.lastMessage, "I need help");
  assert.ok(row.unreadCount >= 1 && typeof row.name === "string" && typeof row.email === "string");

  admin.socket.emit("mark-read", { senderId: "user-1" });
  assert.equal((await user.next("messages-read")).readBy, team);
  const after = (await admin.rest("GET", "conversations")).body.find((row) => row._id === "user-1");
  assert.equal(after.unreadCount, 0);
  assert.equal((await admin.rest("GET", "unread-count")).body.count, before + 1 - row.unreadCount);

  admin.socket.emit("send-message", { receiverId: "user-1", message: "How can I help?" });
  const answer = await user.next("receive-message");
  assert.deepEqual([answer.sender._id, answer.receiver._id, answer.agent._id], [team, "user-1", "agent-1"]);
  assert.equal((await admin.next("message-sent")).sender._id, "agent-1");
  assert.equal((await second.next("receive-message")).message, "How can I help?");
  await sleep(300);
  assert.equal(second.count("message-sent"), 0, "only the sending socket hears message-sent");
  assert.equal(second.count("receive-message"), 0, "once");

  const tempId = `t-${Date.now()}`;
  const called = await user.socket.timeout(WAIT).emitWithAck("send-message", { to: team, text: "Called back", tempId });
  assert.deepEqual([called.success, called.ok, called.tempId, called.message.message], [true, true, tempId, "Called back"]);
  const again = await user.socket.timeout(WAIT).emitWithAck("send-message", { to: team, text: "Called back", tempId });
  assert.equal(again.message._id, called.message._id, "a retry is the same message");
  assert.equal((await admin.next("receive-message")).message, "Called back");

  const posted = await user.rest("POST", "send", { receiverId: team, message: "By post" });
  assert.equal(posted.status, 201);
  assert.equal(posted.body.message, "By post");
  assert.equal((await admin.next("receive-message"))._id, posted.body._id);
  assert.deepEqual(await user.rest("POST", "send", {}), { status: 400, body: { message: "Receiver and message are required" } });

  const history = await admin.rest("GET", "messages/user-1");
  const texts = history.body.map((message) => message.message);
  assert.deepEqual(texts.slice(-4), ["I need help", "How can I help?", "Called back", "By post"]);
  const last = history.body.at(-1);
  assert.deepEqual([last.sender._id, last.__v, typeof last.updatedAt], ["user-1", 0, "string"]);
  await user.next("messages-read");
  const own = (await user.rest("GET", `messages/${team}`)).body;
  assert.deepEqual(own.map((message) => message._id), history.body.map((message) => message._id));
  assert.equal(own.find((message) => message.message === "I need help").read, true);

  for (const each of [admin, user, second]) each.close();
  saw("an admin and a user talk");
}

// Who is online, told to those whom it concerns: to an agent of a user that they talked to, to a user of the team.
async function presence() {
  const user = await page("user-1", 0).ready();
  const admin = await page("agent-1", 1).ready();
  const stranger = await page("user-2", 2).ready();
  const online = await admin.next("user-online", (event) => event.userId === "user-1");
  assert.deepEqual(online, { userId: "user-1", online: true, lastSeen: null });
  for (const each of [user, stranger]) assert.equal((await each.next("user-online")).userId, "agent-1", "the team");
  user.close();
  const again = await page("user-1", 2).ready();
  await sleep(6_500);
  assert.equal(admin.count("user-offline"), 0, "a page that is loaded anew is not seen to leave");
  again.close();
  const offline = await admin.next("user-offline");
  assert.deepEqual([offline.userId, offline.online], ["user-1", false]);
  assert.match(offline.lastSeen, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  admin.close();
  assert.equal((await stranger.next("user-offline")).userId, "agent-1", "the team");
  // Against a cluster that was played before, the agent has talked to more people.
  const talkedTo = (await admin.rest("GET", "conversations")).body.map(({ userId }) => userId);
  for (const [each, company] of [[admin, ["agent-1", ...talkedTo]], [stranger, ["agent-1", stranger.id]]]) {
    const told = each.heard.filter(({ name }) => /^user-o/.test(name)).map(({ args }) => args[0].userId);
    assert.deepEqual(told.filter((userId) => !company.includes(userId)), [], "no strangers");
  }
  stranger.close();
  saw("who is online");
}

// A connection is lost, again and again: what was missed comes, once and in order, without a line of the page's doing.
async function recovery() {
  const admin = await page("agent-1", 0).ready();
  const user = await page("user-2", 1).ready();
  const expected = [];
  let recovered = 0;
  user.socket.on("connect", () => { if (user.socket.recovered) recovered += 1; });
  for (let round = 0; round < 3; round += 1) {
    for (let n = 0; n < 5; n += 1) {
      const text = `round ${round} message ${n}`;
      expected.push(text);
      admin.socket.emit("send-message", { receiverId: "user-2", message: text });
      if (n === 2) user.socket.io.engine.close();
    }
    for (let n = 0; n < 5; n += 1) await admin.next("message-sent");
    await user.ready();
  }
  const got = [];
  while (got.length < expected.length) got.push((await user.next("receive-message")).message);
  await sleep(500);
  assert.equal(user.count("receive-message"), 0, "nothing twice");
  assert.deepEqual(got, expected);
  assert.equal(recovered, 3);
  admin.close();
  user.close();
  saw("what was missed comes after a lost connection");
}

// How long things take, for people to read.
async function measure() {
  const began = performance.now();
  const admin = page("agent-1", 0);
  await new Promise((done) => admin.socket.once("connect", done));
  const connected = performance.now();
  await admin.ready();
  const authenticated = performance.now();
  const user = await page("user-2", 1).ready();
  const sent = new Map();
  const took = [];
  user.socket.on("receive-message", ({ message }) => sent.has(message) && took.push(performance.now() - sent.get(message)));
  for (let n = 0; n < 200; n += 1) {
    const text = `measured ${n}`;
    sent.set(text, performance.now());
    admin.socket.emit("send-message", { receiverId: "user-2", message: text });
    await sleep(60); // as fast as one user may
  }
  const until = Date.now() + WAIT;
  while (took.length < 200) {
    assert.ok(Date.now() < until, `only ${took.length} of 200 were delivered`);
    await sleep(10);
  }
  took.sort((a, b) => a - b);
  const [half, most] = [took[99], took[197]].map((ms) => ms.toFixed(1));
  const ms = (from, to) => Math.round(to - from);
  admin.close();
  user.close();
  saw(`measured: connected in ${ms(began, connected)} ms, authenticated in ${ms(connected, authenticated)} ms, ` +
    `200 messages delivered in ${half} ms (50 %), ${most} ms (99 %)`);
}

// Nodes die in the middle of a talk: whatever a page was told is stored reaches the other page, once and in order.
async function kills(commands) {
  const admin = await page("agent-1", 0).ready();
  const user = await page("user-2", 1).ready();
  const sides = [{ from: admin, to: user, id: "user-2" }, { from: user, to: admin, id: "agent-1" }];
  let under_way = 0;
  for (const [round, command] of commands.entries()) {
    for (let n = 0; n < 40; n += 1) {
      for (const { from, id } of sides) from.socket.emit("send-message", { receiverId: id, message: `kill ${round} message ${n}` });
      if (n === 20) {
        under_way += 2 * 21 - sides.reduce((sum, { from }) => sum + from.texts("message-sent", `kill ${round} `).length, 0);
        execSync(command, { stdio: "ignore" });
      }
      await sleep(25);
    }
    // The page comes back by itself, and goes on.
    for (const { from, id } of sides) {
      const until = Date.now() + WAIT;
      const last = `back ${round}`;
      while (from.texts("message-sent", last).length === 0) {
        assert.ok(Date.now() < until, `${from.id} does not come back`);
        if (from.socket.connected) from.socket.emit("send-message", { receiverId: id, message: last });
        await sleep(1_000);
      }
    }
  }
  await sleep(3_000);
  let told = 0;
  for (const { from, to } of sides) {
    const stored = from.texts("message-sent", "");
    const shown = to.texts("receive-message", "");
    told += stored.length;
    const missing = stored.filter((text) => !shown.includes(text));
    assert.deepEqual(missing, [], `${from.id} was told that these are stored`);
    const places = to.heard.filter((event) => event.name === "receive-message").map((event) => event.args[0].seq);
    assert.deepEqual(places, [...new Set(places)].sort((a, b) => a - b), "once and in order");
  }
  admin.close();
  user.close();
  saw(`${commands.length} kills: ${told} told as stored, all shown once and in order; ${under_way} were under way`);
}

(async () => {
  await refusals();
  await old();
  await talk();
  await presence();
  await recovery();
  if (process.env.MEASURE) await measure();
  const commands = (process.env.KILLS ?? "").split("\n").filter((command) => command !== "");
  if (commands.length > 0) await kills(commands);
  console.log("PASS");
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
