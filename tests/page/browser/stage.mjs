// People at the page in a real Chromium, each behind a load balancer of their own, so that a test says who is at which
// node and where they go when it dies.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { join } from "node:path";

const ROOT = new URL("../../../", import.meta.url).pathname;
const require = createRequire(join(ROOT, ".tools/npm/"));
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const SHOTS = join(ROOT, "target/screenshots");

/** How long anything may take to appear, in milliseconds. */
export const PATIENCE = 30_000;
const DESK = { width: 1200, height: 760 };
const PHONE = { width: 390, height: 780 };

/** A browser for all. */
export async function launch() {
  mkdirSync(SHOTS, { recursive: true });
  const quiet = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ];
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", ...quiet],
  });
}

/** Forwards each connection to the first of these ports that answers, unless it is told to be away. */
class Balancer {
  #server;
  #open = new Set();
  isAway = false;

  async start(ports) {
    this.#server = createServer({ pauseOnConnect: true }, (client) => {
      this.#open.add(client);
      client.on("error", () => {});
      client.on("close", () => this.#open.delete(client));
      if (this.isAway) client.destroy();
      else forward(client, ports);
    });
    await new Promise((done) => this.#server.listen(0, "127.0.0.1", done));
    this.#server.unref();
    return this.#server.address().port;
  }

  /** Cuts everything, and lets nothing through until it is told to be back. */
  leave() {
    this.isAway = true;
    for (const client of this.#open) client.destroy();
  }
}

function forward(client, [port, ...others]) {
  if (port === undefined) return client.destroy();
  const node = connect(port, "127.0.0.1");
  let isThere = false;
  node.on("connect", () => {
    isThere = true;
    client.pipe(node).pipe(client);
    client.on("close", () => node.destroy());
    client.resume();
  });
  node.on("error", () => !isThere && forward(client, others));
  node.on("close", () => isThere && client.destroy());
  return undefined;
}

/** Somebody at the page. */
export class Person {
  errors = [];

  static async come(browser, { name, token, ports, server, isDark = false, isPhone = false }) {
    const person = new Person();
    person.name = name;
    person.id = server || token === undefined ? name : idIn(token);
    person.isPhone = isPhone;
    person.balancer = new Balancer();
    person.origin = `http://127.0.0.1:${await person.balancer.start(ports)}`;
    const context = await browser.newContext({
      viewport: isPhone ? PHONE : DESK,
      colorScheme: isDark ? "dark" : "light",
      reducedMotion: "reduce",
    });
    context.setDefaultTimeout(PATIENCE);
    const page = (person.page = await context.newPage());
    page.on("console", (line) => line.type() === "error" && person.errors.push(line.text()));
    page.on("pageerror", (error) => person.errors.push(String(error.stack ?? error)));
    await server?.stand(page);
    await page.goto(token === undefined ? person.origin : `${person.origin}/#token=${token}`);
    if (token !== undefined) await person.until(() => document.querySelector("#me").textContent !== "");
    return person;
  }

  /** Waits until this holds in the page. */
  async until(holds, argument) {
    await this.page.waitForFunction(holds, argument, { polling: 50 });
  }

  async begin(whom) {
    await this.page.click("#new");
    await this.page.fill("#whom", whom);
    await this.page.click("#start-form .primary");
    await this.page.waitForSelector("#text:focus");
  }

  async open(title) {
    await this.page.click(`#conversations .row:has(.row-title:text-is("${title}"))`);
    await this.page.waitForSelector("#text:focus");
  }

  async write(text) {
    await this.page.fill("#text", text);
    await this.page.press("#text", "Enter");
  }

  /** The texts of the open conversation from above to below, those on their way included. */
  texts() {
    return this.page.$$eval("#messages .text, #pending .text", (all) => all.map((text) => text.textContent));
  }

  async sees(text) {
    await this.until(
      (text) => [...document.querySelectorAll("#messages .text")].some((each) => each.textContent === text),
      text,
    );
  }

  async shot(name) {
    await this.page.screenshot({ path: join(SHOTS, `${name}.png`) });
  }

  /** Nothing in what is shown now keeps anybody out. */
  async isAccessible(where) {
    await this.page.evaluate(AXE);
    const { violations } = await this.page.evaluate(() =>
      globalThis.axe.run(document, {
        resultTypes: ["violations"],
        runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"],
      }),
    );
    const told = ({ target, any }) => `  ${target}: ${any.map(({ message }) => message).join("; ")}`;
    const found = violations.map(({ id, help, nodes }) => [`${id}: ${help}`, ...nodes.map(told)].join("\n"));
    assert.deepEqual(found, [], `${this.name}, ${where}`);
  }

  /** From here on the page's banner is written down. */
  async watchBanner() {
    await this.page.evaluate(() => {
      const [banner, text] = ["banner", "banner-text"].map((id) => document.getElementById(id));
      globalThis.bannerTexts = [];
      const note = () => banner.hidden || globalThis.bannerTexts.push(text.textContent);
      new MutationObserver(note).observe(banner, {
        attributes: true,
        childList: true,
        subtree: true,
        characterData: true,
      });
    });
  }

  /** What the banner said since then. */
  bannerTexts() {
    return this.page.evaluate(() => globalThis.bannerTexts);
  }

  /** Nothing was complained of. A page whose server is away cannot keep its browser from saying so. */
  hasNoErrors({ wasAway = false } = {}) {
    const errors = this.errors.filter((error) => !wasAway || !error.startsWith("WebSocket connection to"));
    assert.deepEqual(errors, [], this.name);
  }
}

/** Whom a token is for. */
function idIn(token) {
  const { id, sub } = JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
  return id ?? sub;
}
