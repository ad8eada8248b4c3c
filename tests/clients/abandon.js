// Opens polling sessions and abandons them: every second one after it has shown a token. They never poll again.
//
// Environment: URL, TOKEN, SESSIONS. Prints how many were opened.
"use strict";
const http = require("node:http");
const agent = new http.Agent({ keepAlive: true, maxSockets: 20 });
const { URL: url, TOKEN: token, SESSIONS = "20000" } = process.env;

function ask(method, query, body) {
  return new Promise((done, fail) => {
    const request = http.request(`${url}/socket.io/?EIO=4&transport=polling${query}`, { method, agent }, (answer) => {
      let text = "";
      answer.on("data", (part) => (text += part));
      answer.on("end", () => (answer.statusCode === 200 ? done(text) : fail(new Error(`${answer.statusCode} ${text}`))));
    });
    request.on("error", fail);
    request.end(body);
  });
}

async function abandon(n) {
  const { sid } = JSON.parse((await ask("GET", "")).slice(1));
  if (n % 2 === 0) return;
  await ask("POST", `&sid=${sid}`, "40");
  await ask("POST", `&sid=${sid}`, `42["authenticate",${JSON.stringify(token)}]`);
  const heard = await ask("GET", `&sid=${sid}`);
  if (!heard.startsWith("40")) throw new Error(heard);
}

(async () => {
  let next = 0;
  const workers = Array.from({ length: 20 }, async () => {
    while (next < Number(SESSIONS)) await abandon((next += 1));
  });
  await Promise.all(workers);
  console.log(next);
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
