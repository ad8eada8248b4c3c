// What people do with each other at the page, at the two nodes of a real cluster: they find each other by address, make a
// group and change it, block and are blocked, and one of them is banned.
//
// NODES are the two ports, TOKENS a map from names to tokens: ann, bob, cy and dee are users, sue is an agent, and bob's
// token says that his address is bob@example.com.

import assert from "node:assert/strict";

import { Person, launch } from "./stage.mjs";

const [here, there] = process.env.NODES.split(",").map(Number);
const tokens = JSON.parse(process.env.TOKENS);
const began = Date.now();
const step = (name) => console.log(`ok ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);

const browser = await launch();
const come = (name, ...ports) => Person.come(browser, { name, token: tokens[name], ports });
const [ann, bob, cy, dee, sue] = await Promise.all([
  come("ann", here, there),
  come("bob", there, here),
  come("cy", here, there),
  come("dee", there, here),
  come("sue", there, here),
]);

const events = (person) => person.page.$$eval("#messages .event", (all) => all.map((line) => line.textContent.trim()));
const hears = (person, words) =>
  person.until(
    (words) => [...document.querySelectorAll("#messages .event")].some((line) => line.textContent.includes(words)),
    words,
  );
const openDetails = async (person) => {
  if (await person.page.isHidden("#details")) await person.page.click("#open-details");
};
const act = async (person, action, answer) => {
  await openDetails(person);
  await person.page.click(`#details button:text-is("${action}")`);
  if (answer === undefined) return;
  await person.page.waitForSelector("#ask[open]");
  if (answer !== true) await person.page.fill("#ask-field", answer);
  await person.page.click("#ask-action");
};

// By address.
await ann.page.click("#new");
await ann.page.fill("#whom", "nobody@example.com");
await ann.page.click("#start-form .primary");
await ann.until(() => document.querySelector("#start-problem").textContent.startsWith("Nobody"));
await ann.page.keyboard.press("Escape");
await ann.begin("bob@example.com");
await ann.write("Found you");
await bob.open("ann");
await bob.sees("Found you");
step("people are found by their exact address, and nobody else is");

// A group: who comes later sees what comes later, who was removed sees nothing more.
await ann.page.click("#new");
await ann.page.click("#start-group");
await ann.page.fill("#group-name", "Lake trip");
await ann.page.fill("#group-whom", "bob cy");
await ann.page.press("#group-whom", "Enter");
await ann.until(() => document.querySelectorAll("#group-people li").length === 2);
await ann.page.click("#group-make");
await ann.page.waitForSelector("#text:focus");
await ann.write("Who drives?");
for (const person of [bob, cy]) {
  await person.open("Lake trip");
  await person.sees("Who drives?");
}
await act(ann, "Add", dee.id);
await dee.open("Lake trip");
await ann.write("Dee is with us");
for (const person of [bob, cy, dee]) await person.sees("Dee is with us");
assert.ok(!(await dee.texts()).includes("Who drives?"), "who comes later sees what comes later");
await act(ann, "Rename the group", "Lake trip in May");
for (const person of [bob, cy, dee])
  await person.until(() => document.querySelector("#with").textContent === "Lake trip in May");
await ann.page.click('#members li:has-text("cy") summary');
await ann.page.click('#members li:has-text("cy") >> text=Remove from the group');
await ann.page.click("#ask-action");
await hears(bob, "removed");
await ann.write("Without Cy");
for (const person of [bob, dee]) await person.sees("Without Cy");
await cy.until(() => document.querySelector("#composer-closed").textContent !== "");
assert.ok(!(await cy.texts()).includes("Without Cy"), "who was removed sees nothing more");
await act(dee, "Leave the group", true);
await hears(ann, "left");
await ann.write("Only two of us");
await bob.sees("Only two of us");
assert.ok(!(await dee.texts()).includes("Only two of us"), "who left sees nothing more");
await ann.shot("people-group");
step(`a group and its changes: ${(await events(ann)).length} events`);

// Bob blocks Ann: she can neither write to him nor see him.
await bob.open("ann");
await ann.open("bob");
await ann.until(() => document.querySelector("#presence").textContent === "online");
await act(bob, "Block", true);
await bob.page.waitForSelector('#details button:text-is("Unblock")');
await ann.write("Are you there?");
await ann.page.waitForSelector("#pending .failed");
await ann.shot("people-blocked");
await ann.until(() => document.querySelector("#presence").textContent !== "online");
assert.ok(!(await bob.texts()).includes("Are you there?"));
await act(bob, "Unblock");
await bob.page.waitForSelector('#details button:text-is("Block")');
await ann.page.click("#pending >> text=Send again");
await bob.sees("Are you there?");
await ann.until(() => document.querySelectorAll("#pending li").length === 0);
step("a block holds until it is lifted");

// An agent bans Cy, who is at the other node, signed in twice.
const second = await come("cy", there, here);
await sue.page.click("#tabs [data-view=chats]");
await sue.begin(cy.id);
await act(sue, "Ban from the chat", "Spam");
const isPutOut = async (person) => {
  await person.until(() => !document.querySelector("#sign-in").hidden);
  assert.match(await person.page.textContent("#sign-in-problem"), /may not use this chat/);
};
const signIn = async (person) => {
  await person.page.fill("#token", tokens[person.name]);
  await person.page.click("#by-token .primary");
};
for (const person of [cy, second]) await isPutOut(person);
await cy.shot("people-banned");
await signIn(cy);
await isPutOut(cy);
await act(sue, "Lift the ban", true);
await sue.until(() => /may come back/.test(document.querySelector("#note").textContent));
await signIn(cy);
await cy.page.waitForSelector("#conversations .row");
step("who is banned is out everywhere, and may come back when the ban is lifted");

for (const person of [ann, bob, dee, sue]) person.hasNoErrors();
await browser.close();
console.log("PASS");
