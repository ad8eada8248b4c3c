// Plays the page of tests/clients/classic-page in a real browser: an admin and a user, each in a window of their own, and
// what either sees is held against what the other sees and against what is stored.
//
// Environment: PAGE_PORT (where this serves the page, on loopback), PAGE (how the browsers reach it; else directly), API (where
// the page finds the chat, else at its own origin), SECRET (what tokens are signed with), TRANSPORTS (as the page names them),
// USER (the user's id, of somebody new), KILLS (commands, one a line, run in the middle of a talk), CHROMIUM (the browser).
"use strict";
const { createHmac } = require("node:crypto");
const { exec } = require("node:child_process");
const { createServer } = require("node:http");
const { readFileSync, existsSync } = require("node:fs");
const assert = require("node:assert/strict");
const path = require("node:path");

const modules = path.join(__dirname, "..", "..", ".tools", "npm", "node_modules");
const { chromium } = require(path.join(modules, "playwright-core"));
const WAIT = 30_000;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const saw = (what) => console.log(`ok ${what}`);
const USER = process.env.USER;

const FILES = {
  "/": [path.join(__dirname, "classic-page/index.html"), "text/html"],
  "/page.js": [path.join(__dirname, "classic-page/page.js"), "text/javascript"],
  "/socket.io.min.js": [path.join(modules, "socket.io-client/dist/socket.io.min.js"), "text/javascript"],
};

function serve() {
  const server = createServer((request, response) => {
    const [file, type] = FILES[request.url.split("?")[0]] ?? [];
    if (!file) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": type }).end(readFileSync(file));
  });
  return new Promise((done) => server.listen(Number(process.env.PAGE_PORT), "127.0.0.1", done));
}

// A token as the classic backend mints it.
function token(id, role) {
  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${part({ alg: "HS256", typ: "JWT" })}.${part({ id, sub: id, role, iat: now, exp: now + 86_400 })}`;
  return `${body}.${createHmac("sha256", process.env.SECRET).update(body).digest("base64url")}`;
}

// What a browser says of requests that failed: they may. While nodes die, also of answers that the load balancer gave itself.
const NETWORK = /Failed to load resource|WebSocket connection to|net::ERR_|the server responded with a status of/;
const BALANCER = /blocked by CORS policy/;
let nodesDie = false;

class Window {
  static async open(browser, id, role) {
    const context = await browser.newContext();
    await context.addInitScript((token) => localStorage.setItem("token", token), token(id, role));
    const window = new Window();
    Object.assign(window, { id, page: await context.newPage(), complaints: [] });
    window.page.on("pageerror", (error) => window.complaints.push(String(error)));
    window.page.on("console", (message) => {
      const may = NETWORK.test(message.text()) || (nodesDie && BALANCER.test(message.text()));
      if (message.type() === "error" && !may) window.complaints.push(message.text());
    });
    window.page.on("dialog", (dialog) => window.complaints.push(dialog.message()));
    await window.load();
    return window;
  }

  async load() {
    const query = new URLSearchParams({ transports: process.env.TRANSPORTS });
    if (process.env.API) query.set("api", process.env.API);
    const address = process.env.PAGE ?? `http://127.0.0.1:${process.env.PAGE_PORT}`;
    await this.page.goto(`${address}/?${query}`);
    await this.until("it is connected", async () => (await this.text("#status")) === "connected");
  }

  text(selector) { return this.page.locator(selector).textContent(); }
  shown(selector = "#messages li") { return this.page.locator(selector).allTextContents(); }

  async until(what, test, wait = WAIT) {
    const until = Date.now() + wait;
    for (;;) {
      if (await test().catch(() => false)) return;
      if (Date.now() > until) {
        const seen = JSON.stringify([await this.text("#status"), await this.shown("#list li"), await this.shown()]);
        throw new Error(`${this.id}: ${what}: not so after ${wait} ms, but ${seen}; ${this.complaints}`);
      }
      await sleep(20);
    }
  }

  shows(text) { return this.until(`"${text}" is shown`, async () => (await this.shown()).includes(text)); }

  async say(text) {
    await this.page.fill("#text", text);
    await this.page.click("#send");
  }

  // Says something as a person does: once more, in other words, if it does not appear. Answers what was said at last.
  async tell(text) {
    for (let words = text; ; words += ", again") {
      await this.until("it is connected", async () => (await this.text("#status")) === "connected");
      await this.say(words);
      const appeared = await this.until("it appears", async () => (await this.shown()).includes(words), 10_000)
        .then(() => true, () => false);
      if (appeared) return words;
      assert.ok(words.length < text.length + 40, `"${text}" never appears`);
    }
  }

  // Where the window's session lives.
  node() { return this.page.evaluate(() => window.socket.io.engine.id.slice(0, -32)); }

  // Everything that is stored of a talk, page by page.
  stored(of) {
    return this.page.evaluate(async (of) => {
      const all = [];
      for (let before = ""; ;) {
        const page = await request("GET", `messages/${of}${before}`);
        all.unshift(...page.map((message) => message.message));
        if (page.length === 0 || page[0].seq === 1) return all;
        before = `?before=${page[0].seq}`;
      }
    }, of);
  }
}

async function first(admin, user) {
  await user.say("Good morning");
  await user.shows("Good morning");
  const row = admin.page.locator(`#list li[data-user="${USER}"]`);
  await admin.until("the user is listed", async () => (await row.textContent()).endsWith(": Good morning"));
  assert.equal(await row.getAttribute("data-unread"), "1");
  await row.click();
  await admin.shows("Good morning");
  await admin.until("it counts as read", async () => (await row.getAttribute("data-unread")) === "0");
  assert.deepEqual(await admin.shown("#messages li.theirs"), ["Good morning"]);

  await user.page.locator("#text").pressSequentially("May I");
  await admin.until("the user is seen typing", async () => (await admin.text("#typing")) !== "");
  await admin.until("it ends by itself", async () => (await admin.text("#typing")) === "");
  await admin.page.locator("#text").pressSequentially("How");
  await user.until("the admin is seen typing", async () => (await user.text("#typing")) !== "");
  await admin.say("How can I help?");
  await admin.shows("How can I help?");
  await user.shows("How can I help?");
  await user.until("typing ends with the message", async () => (await user.text("#typing")) === "");
  assert.deepEqual(await user.shown("#messages li.own"), ["Good morning"]);
  assert.deepEqual(await admin.shown("#messages li.own"), ["How can I help?"]);
  saw("a user and an admin meet");
}

// Both talk at once, then both load their pages anew while the other goes on.
async function busy(admin, user) {
  for (let n = 0; n < 10; n += 1) {
    await Promise.all([user.tell(`user ${n}`), admin.tell(`admin ${n}`)]);
  }
  await same(admin, user);
  const goOn = async (window, name) => {
    let last = null;
    for (let n = 0; n < 20; n += 1) last = await window.tell(`${name} ${n}`);
    return last;
  };
  const [last] = await Promise.all([goOn(admin, "while you load"), user.load()]);
  await user.shows(last);
  await same(admin, user);
  const [end] = await Promise.all([goOn(user, "while the admin loads"), admin.load()]);
  await admin.page.locator(`#list li[data-user="${USER}"]`).click();
  await admin.shows(end);
  await same(admin, user);
  saw("both load their pages anew in the middle of a talk");
}

// Both windows show what is stored: each message once, and in one order.
async function same(admin, user) {
  const stored = await admin.stored(USER);
  assert.deepEqual(stored, [...new Set(stored)], "nothing was stored twice");
  const sorted = (texts) => [...texts].sort();
  for (const window of [admin, user]) {
    const shown = () => window.shown();
    await window.until("it shows what is stored", async () => (await shown()).length >= stored.length);
    assert.deepEqual(sorted(await shown()), sorted(stored), `${window.id} shows each message once`);
    // One's own bubbles and those of the other side each in their order.
    for (const side of ["own", "theirs"]) {
      const seen = await window.shown(`#messages li.${side}`);
      assert.deepEqual(seen, stored.filter((text) => seen.includes(text)), `${window.id} shows them in order`);
    }
    assert.deepEqual(await window.page.evaluate(() => window.wrong), []);
    assert.deepEqual(window.complaints, []);
  }
  return stored.length;
}

// Nodes die in the middle of a talk. What was under way then may not have been stored; what is, is on both screens.
async function kills(admin, user, commands) {
  let lost = 0;
  nodesDie = true;
  for (const [round, command] of commands.entries()) {
    let killed = false;
    const killing = sleep(700).then(() => new Promise((done) => exec(command, () => { killed = true; done(); })));
    for (const [window, name] of [[user, "user"], [admin, "admin"]]) {
      window.talk = (async () => {
        for (let n = 0; n < 40 || !killed; n += 1) {
          await window.say(`${name} in round ${round}, ${n}`);
          await sleep(50);
        }
      })();
    }
    await Promise.all([killing, user.talk, admin.talk]);
    for (const [window, name] of [[user, "user"], [admin, "admin"]]) {
      let tries = 0;
      await window.until("it is back", async () => {
        if ((await window.text("#status")) !== "connected") return false;
        const text = `${name} is back after round ${round}, ${tries += 1}`;
        await window.say(text);
        await window.until("it is stored", async () => (await window.shown()).includes(text), 3_000);
        return true;
      }, 60_000);
    }
    await sleep(1_000);
    const before = await admin.stored(USER);
    for (const [window, name] of [[user, "user"], [admin, "admin"]]) {
      for (let n = 0; n < 40; n += 1) lost += before.includes(`${name} in round ${round}, ${n}`) ? 0 : 1;
    }
    saw(`round ${round}: ${await same(admin, user)} messages on both screens`);
  }
  saw(`kills: ${commands.length}; ${(await admin.stored(USER)).length} messages stored, all on both screens once and in order; ${lost} never were`);
}

(async () => {
  await serve();
  const executablePath = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  const admin = await Window.open(browser, "agent-1", "admin");
  const user = await Window.open(browser, USER, "user");
  for (let n = 0; n < 10 && (await admin.node()) === (await user.node()); n += 1) await user.load();
  assert.notEqual(await admin.node(), await user.node(), "the windows are on two nodes");
  await first(admin, user);
  await busy(admin, user);
  const commands = (process.env.KILLS ?? "").split("\n").filter((command) => command !== "");
  if (commands.length > 0) await kills(admin, user, commands);
  await browser.close();
  console.log("PASS");
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
