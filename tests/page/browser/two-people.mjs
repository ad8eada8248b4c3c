// Two people at two nodes, of which one is killed while they write: no draft and no message is lost or doubled. On the
// way, whether everybody can use what is shown: axe, in light, dark and on a phone.
//
// NODES are the two ports, KILL is the process behind the first, TOKENS a map from names to tokens.

import assert from "node:assert/strict";

import { Person, launch } from "./stage.mjs";

const [here, there] = process.env.NODES.split(",").map(Number);
const tokens = JSON.parse(process.env.TOKENS);
const began = Date.now();
const step = (name) => console.log(`ok ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);

const browser = await launch();
const stranger = await Person.come(browser, { name: "stranger", ports: [here, there] });
await stranger.page.waitForSelector("#token:focus");
await stranger.isAccessible("signing in");
await stranger.page.fill("#token", "no token at all");
await stranger.page.click("#by-token .primary");
await stranger.until(() => document.querySelector("#sign-in-problem").textContent !== "");
await stranger.shot("sign-in");
step("a wrong token is refused with a reason");

const [ann, bob] = await Promise.all([
  Person.come(browser, { name: "ann", token: tokens.ann, ports: [here, there] }),
  Person.come(browser, { name: "bob", token: tokens.bob, ports: [there, here], isDark: true }),
]);
assert.equal(new URL(ann.page.url()).hash, "", "the token does not stay in the address");
await ann.page.waitForSelector("#empty-new");
await ann.isAccessible("empty");
await ann.shot("empty");

await ann.begin(bob.id);
await ann.write("Hello Bob, see https://example.com/plan.");
await ann.write("<b>Not</b> markup, is it?");
await bob.until(() => document.title.startsWith("(2)"));
await bob.open(ann.id);
await bob.sees("<b>Not</b> markup, is it?");
assert.equal(await bob.page.getAttribute("#messages a", "href"), "https://example.com/plan");
assert.equal(await bob.page.locator("#messages b").count(), 0);
await bob.page.waitForSelector(".fresh");
await ann.until(() => document.querySelectorAll("#messages .state.read").length === 2);
await bob.until(() => document.title === "Switchboard");
step("messages go over two nodes, are read, and say so");

const typed = ann.page.type("#text", "I was just thinking of you", { delay: 150 });
await bob.until(() => document.querySelector("#presence").textContent === "typing …");
await bob.until(() => document.querySelector(".row-preview").textContent === "typing …");
await typed;
step("who writes is seen writing");

await bob.isAccessible("thread, dark");
await ann.isAccessible("thread, light");
await ann.page.click("#open-details");
await ann.isAccessible("details");
await ann.page.click("#close-details");
await ann.page.click("#new");
await ann.isAccessible("new conversation");
await ann.shot("new-conversation");
await ann.page.keyboard.press("Escape");
await ann.page.focus("#scroll");
await ann.page.keyboard.press("?");
await ann.isAccessible("help");
await ann.page.keyboard.press("Escape");
step("axe finds nothing on a desk");

// The kill: in the middle of a word, with messages on their way in both directions.
await ann.page.focus("#text");
await ann.page.fill("#text", "");
const written = { ann: [], bob: [] };
const say = async (person, count) => {
  for (let number = 0; number < count; number += 1) {
    const text = `${person.name} says ${written[person.name].length}`;
    written[person.name].push(text);
    await person.write(text);
  }
};
await ann.watchBanner();
await say(ann, 5);
const speaking = Promise.all([say(ann, 10), say(bob, 10)]);
process.kill(Number(process.env.KILL), "SIGKILL");
await speaking;
await ann.page.type("#text", "Half a sentence", { delay: 40 });
await say(bob, 5);
const all = (texts) => texts.filter((text) => / says /.test(text));
for (const person of [ann, bob]) {
  await person.until((count) => document.querySelectorAll("#messages .text").length >= count, 2 + 30);
  await person.page.waitForSelector("#banner", { state: "hidden" });
  await person.until(() => document.querySelectorAll("#pending li").length === 0);
}
const [ofAnn, ofBob] = [all(await ann.texts()), all(await bob.texts())];
assert.deepEqual(ofAnn, ofBob, "both see the same, in the same order");
for (const [name, texts] of Object.entries(written)) {
  assert.deepEqual(
    ofAnn.filter((text) => text.startsWith(name)),
    texts,
    `${name}'s are there once and in order`,
  );
}
assert.match((await ann.bannerTexts()).join("\n"), /The connection is lost/);
assert.equal(await ann.page.inputValue("#text"), "Half a sentence");
assert.equal(await ann.page.evaluate(() => document.activeElement.id), "text");
step("a node died in mid-typing: no draft, no message lost or doubled");

await ann.page.reload();
await ann.sees("bob says 14");
assert.equal(await ann.page.inputValue("#text"), "Half a sentence", "the draft is there after a reload");
await ann.write("Half a sentence, and the other half");
await bob.sees("Half a sentence, and the other half");
await ann.shot("thread-light");
await bob.shot("thread-dark");
step("the draft outlives a reload");

// On a phone there is a list, or a thread.
const cy = await Person.come(browser, { name: "cy", token: tokens.cy, ports: [there], isPhone: true });
await cy.begin(ann.id);
assert.equal(await cy.page.isVisible("#side"), false);
await cy.write("Hello from a phone");
await cy.sees("Hello from a phone");
await cy.isAccessible("thread on a phone");
await cy.shot("phone-thread");
await cy.page.click("#back");
await cy.page.waitForSelector("#conversations .row");
assert.equal(await cy.page.isVisible("#main"), false);
await cy.isAccessible("list on a phone");
await cy.shot("phone-list");
await cy.page.emulateMedia({ colorScheme: "dark" });
await cy.isAccessible("list on a phone, dark");
const wider = await cy.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
assert.equal(wider, 0, "nothing is cut off at the side");
step("a phone shows the list or the thread");

// Earlier messages come as one scrolls up, and what is looked at stays where it is.
await bob.page.evaluate(() => (document.querySelector("#scroll").scrollTop = 0));
await ann.write("Something new");
await bob.page.waitForSelector("#jump.fresh");
await bob.shot("jump");
await bob.page.click("#jump");
await bob.until(() => document.querySelector("#jump").hidden);
step("what is new below is offered");

// All servers are away: the banner says so, and what is written waits.
ann.balancer.leave();
await ann.until(() => document.querySelector("#banner-text").textContent.startsWith("The connection is lost"));
await ann.page.waitForSelector("#try-now");
await ann.write("Written while nobody was there");
await ann.page.waitForSelector("#pending .under-way");
await ann.isAccessible("without a connection");
await ann.shot("lost");
ann.balancer.isAway = false;
await ann.page.reload();
await bob.sees("Written while nobody was there");
assert.equal((await bob.texts()).filter((text) => text === "Written while nobody was there").length, 1);
step("what is written without a connection is sent later, even after a reload");

ann.hasNoErrors({ wasAway: true });
for (const person of [bob, cy]) person.hasNoErrors();
await browser.close();
console.log("PASS");
