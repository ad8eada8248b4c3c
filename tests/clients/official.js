// The official Socket.IO client against examples/socketio_echo: `node tests/clients/official.js http://127.0.0.1:3000`.
// It finds socket.io-client (version 4) and sio2 (version 2 of it) in .tools/npm.
"use strict";
const assert = require("node:assert");
const path = require("node:path");

const modules = path.join(__dirname, "..", "..", ".tools", "npm", "node_modules");
const { io } = require(path.join(modules, "socket.io-client"));
const ioOfVersion2 = require(path.join(modules, "sio2"));
const url = process.argv[2];

const within = (what, promise) =>
  Promise.race([
    promise,
    new Promise((_, fail) => setTimeout(() => fail(new Error(`${what}: not in time`)), 10_000).unref()),
  ]);
const once = (socket, event) => within(event, new Promise((done) => socket.once(event, (...args) => done(args))));

async function talk(transports, namespace) {
  const socket = io(url + namespace, { transports, forceNew: true, auth: { token: "123" } });
  const [auth] = await once(socket, "auth");
  assert.deepStrictEqual(auth, { token: "123" });
  for (let n = 0; n < 20; n++) {
    const back = once(socket, "message-back");
    socket.emit("message", n, "2", { 3: [true, "日本"] });
    assert.deepStrictEqual(await back, [n, "2", { 3: [true, "日本"] }]);
  }
  const bytes = once(socket, "message-back");
  socket.emit("message", Buffer.from([1, 2, 3]), { deep: [Buffer.from([4])] });
  const [first, second] = await bytes;
  assert.deepStrictEqual([...first], [1, 2, 3]);
  assert.deepStrictEqual([...second.deep[0]], [4]);
  const [text, buffer] = await within("ack", new Promise((done) => socket.emit("message-with-ack", "x", Buffer.from([9]), (...args) => done(args))));
  assert.strictEqual(text, "x");
  assert.deepStrictEqual([...buffer], [9]);
  if (transports.length > 1) {
    while (socket.io.engine.transport.name !== "websocket") await new Promise((done) => setTimeout(done, 20));
    const back = once(socket, "message-back");
    socket.emit("message", "over the new transport");
    assert.deepStrictEqual(await back, ["over the new transport"]);
  }
  // Longer than a ping and its time: whoever answers stays.
  await new Promise((done) => setTimeout(done, 1_500));
  assert.ok(socket.connected);
  const large = once(socket, "message-back");
  socket.emit("message", "x".repeat(100_000));
  assert.strictEqual((await large)[0].length, 100_000);
  socket.disconnect();
}

async function refused() {
  const socket = io(url + "/random", { forceNew: true });
  const [error] = await once(socket, "connect_error");
  assert.strictEqual(error.message, "Invalid namespace");
  socket.disconnect();
  for (const transports of [["polling"], ["websocket"]]) {
    const old = ioOfVersion2(url, { transports, forceNew: true, reconnection: false });
    await within("refusal", new Promise((done) => old.once("connect_error", done)));
    old.close();
  }
}

async function main() {
  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    for (const namespace of ["/", "/custom"]) {
      await talk(transports, namespace);
      console.log(`ok ${transports} ${namespace}`);
    }
  }
  await refused();
  console.log("ok refusals");
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
