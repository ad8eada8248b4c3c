// Opens CONNECTIONS Socket.IO connections over WebSocket, each of a user of its own, keeps them for KEEP seconds and answers pings.
//
// Environment: URL, SECRET (what tokens are signed with), CONNECTIONS, KEEP. Prints `open` when all are authenticated.
"use strict";
const { createHmac } = require("node:crypto");
const path = require("node:path");
const WebSocket = require(path.join(__dirname, "..", "..", ".tools", "npm", "node_modules", "ws"));
const { URL: url, SECRET, CONNECTIONS = "10000", KEEP = "60" } = process.env;

function token(id) {
  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${part({ alg: "HS256", typ: "JWT" })}.${part({ id, role: "user", iat: now, exp: now + 86_400 })}`;
  return `${body}.${createHmac("sha256", SECRET).update(body).digest("base64url")}`;
}

// One connection: done when its token counts.
function open(n) {
  return new Promise((done, fail) => {
    const socket = new WebSocket(`${url}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate: false });
    socket.on("message", (data) => {
      const packet = data.toString();
      if (packet === "2") socket.send("3");
      else if (packet.startsWith("0")) socket.send("40");
      else if (packet.startsWith("40")) socket.send(`42["authenticate",${JSON.stringify(token(`idle-${n}`))}]`);
      else if (packet.startsWith("42")) (packet.includes('"success":true') ? done : fail)(packet);
    });
    socket.on("error", fail);
    socket.on("close", (code) => { console.error(`connection ${n} was closed: ${code}`); process.exit(1); });
  });
}

(async () => {
  let next = 0;
  await Promise.all(Array.from({ length: 50 }, async () => {
    while (next < Number(CONNECTIONS)) await open((next += 1));
  }));
  console.log("open");
  setTimeout(() => process.exit(0), Number(KEEP) * 1000);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
