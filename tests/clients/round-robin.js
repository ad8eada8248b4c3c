// Two pages that only poll, through a load balancer that deals each request to another node: for MINUTES minutes one session
// each, and MESSAGES messages each way, in order.
//
// Environment: URL, ADMIN_TOKEN, USER_TOKEN (ids "agent-1" and "user-1"), MINUTES, MESSAGES. Says what it saw as one line.
"use strict";
const assert = require("node:assert/strict");
const path = require("node:path");

const { io } = require(path.join(__dirname, "..", "..", ".tools", "npm", "node_modules", "socket.io-client"));
const { URL: url, MINUTES = "10", MESSAGES = "200" } = process.env;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

class Page {
  constructor(id, token) {
    Object.assign(this, { id, shown: [], sent: [], took: [], lost: [] });
    this.socket = io(url, { transports: ["polling"], forceNew: true });
    this.socket.on("connect", () => this.socket.emit("authenticate", token));
    this.socket.on("disconnect", (reason) => this.lost.push(reason));
    this.socket.on("error", (error) => this.lost.push(error.message));
    this.socket.on("message-sent", (message) => this.sent.push(message.message));
    this.socket.on("receive-message", (message) => {
      this.shown.push(message.message);
      this.took.push(Date.now() - Number(message.message.split(" ")[1]));
    });
  }

  async ready() {
    const answer = await new Promise((done) => this.socket.once("authenticated", done));
    assert.ok(answer.success);
    this.session = this.socket.io.engine.id;
    return this;
  }
}

(async () => {
  const admin = await new Page("agent-1", process.env.ADMIN_TOKEN).ready();
  const user = await new Page("user-1", process.env.USER_TOKEN).ready();
  const began = Date.now();
  const messages = Number(MESSAGES);
  const pause = (Number(MINUTES) * 60_000) / messages;
  for (let n = 0; n < messages; n += 1) {
    await sleep(Math.max(0, began + n * pause - Date.now()));
    user.socket.emit("send-message", { receiverId: "agent-1", message: `${n} ${Date.now()}` });
    admin.socket.emit("send-message", { receiverId: "user-1", message: `${n} ${Date.now()}` });
  }
  await sleep(Math.max(5_000, began + Number(MINUTES) * 60_000 - Date.now()));
  const expected = [...Array(messages).keys()];
  for (const page of [admin, user]) {
    assert.deepEqual(page.lost, [], `${page.id} was disconnected`);
    assert.equal(page.socket.io.engine.id, page.session, `${page.id} has its first session`);
    assert.equal(page.socket.io.engine.transport.name, "polling");
    for (const list of [page.sent, page.shown]) {
      assert.deepEqual(list.map((text) => Number(text.split(" ")[0])), expected, `${page.id}: each once and in order`);
    }
  }
  const took = [...admin.took, ...user.took].sort((a, b) => a - b);
  const at = (share) => took[Math.floor(share * (took.length - 1))];
  console.log(`${((Date.now() - began) / 60_000).toFixed(1)} | ${messages} | ${at(0.5)} ms | ${at(0.99)} ms | ${took.at(-1)} ms`);
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
