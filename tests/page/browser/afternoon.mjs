// An afternoon at the support desk: five people ask, two agents answer, in seven browser contexts at several nodes, of
// which one is killed half-way. At the end every message is there once, in one order for all; so are counts and dots.
//
// NODES are the ports of the nodes, KILL the process behind the first, TOKENS a map from names to tokens, ROUNDS how
// often each of the five asks.

import assert from "node:assert/strict";

import { Person, launch } from "./stage.mjs";

const nodes = process.env.NODES.split(",").map(Number);
const tokens = JSON.parse(process.env.TOKENS);
const rounds = Number(process.env.ROUNDS ?? 12);
const PEOPLE = ["ann", "bob", "cy", "dee", "eve"];
/** How long a dot may be wrong, in milliseconds. */
const DOT_WAIT = 10_000;

const began = Date.now();
const step = (name) => console.log(`ok ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
const wait = (time) => new Promise((next) => setTimeout(next, time));

const browser = await launch();
const come = (name, at) => {
  const ports = [...nodes.slice(at % nodes.length), ...nodes.slice(0, at % nodes.length)];
  return Person.come(browser, { name, token: tokens[name], ports });
};
const all = [];
for (const [at, name] of ["sue", "tom", ...PEOPLE].entries()) all.push(await come(name, at));
const [sue, tom, ...people] = all;
const written = new Map(people.map((person) => [person.id, []]));

/** Somebody writes into the talk of this person. */
async function write(writer, person, text) {
  written.get(person.id).push(text);
  await writer.write(text);
}

async function look(agent, view) {
  await agent.page.click("#tabs [data-view=open]");
  await agent.page.click(`#filters [data-view=${view}]`);
}

const rowOf = ({ id }) => `#conversations .row:has(.row-title:text-matches("^${id}"))`;
const holds = (agent, words) =>
  agent.until((words) => document.querySelector("#desk").textContent.includes(words), words);
const press = (agent, button) => agent.page.click(`#desk button:text-is("${button}")`);

async function openTalk(agent, person) {
  await agent.page.click(rowOf(person));
  await agent.until((id) => document.querySelector("#with").textContent === id, person.id);
}

// Everybody asks.
for (const person of people) {
  await person.page.click("#new");
  await person.page.click("#start-team");
  await person.page.waitForSelector("#text:focus");
}
await Promise.all(
  people.map(async (person) => {
    for (const number of [1, 2, 3]) await write(person, person, `${person.name} asks ${number}`);
  }),
);
for (const agent of [sue, tom]) {
  await look(agent, "open");
  for (const person of people) await agent.page.waitForSelector(`${rowOf(person)} .badge:text-matches("^3")`);
}
step("five people ask, and both agents see how much is unread");

// One of two who claim at once holds the talk.
const contested = people[4];
await Promise.all([openTalk(sue, contested), openTalk(tom, contested)]);
await Promise.all([press(sue, "Claim"), press(tom, "Claim")]);
const isSues = () => sue.page.evaluate(() => document.querySelector("#desk").textContent.includes("You answer here."));
await Promise.all([holds(sue, "here."), holds(tom, "here.")]);
for (const agent of [sue, tom])
  await agent.until(() => !document.querySelector("#desk").textContent.includes("Nobody"));
const [holder, late] = (await isSues()) ? [sue, tom] : [tom, sue];
await holds(holder, "You answer here.");
await holds(late, `${holder.id} answers here.`);
const desks = new Map([[contested, holder]]);
for (const [at, person] of people.slice(0, 4).entries()) {
  const agent = [sue, tom][at % 2];
  desks.set(person, agent);
  await look(agent, "open");
  await openTalk(agent, person);
  await press(agent, "Claim");
  await holds(agent, "You answer here.");
}
step("each talk has one agent, also the one that both wanted");

// They talk; half-way a node dies.
for (let round = 1; round <= rounds; round += 1) {
  if (round === Math.ceil(rounds / 2)) process.kill(Number(process.env.KILL), "SIGKILL");
  await Promise.all(people.map((person) => write(person, person, `${person.name} says ${round}`)));
  for (const [person, agent] of desks) {
    await look(agent, "mine");
    await openTalk(agent, person);
    await agent.sees(`${person.name} says ${round}`);
    await write(agent, person, `${agent.name} answers ${person.name} ${round}`);
  }
}
for (const person of people) {
  await person.sees(`${desks.get(person).name} answers ${person.name} ${rounds}`);
  await person.until(() => document.querySelectorAll("#pending li").length === 0);
}
step(`${rounds} rounds, with a node killed half-way`);

// Who is here, and who is not.
const dotted = (agent, person, isHere) =>
  agent.page.waitForSelector(`${rowOf(person)} .dot`, { state: isHere ? "visible" : "detached", timeout: DOT_WAIT });
for (const agent of [sue, tom]) {
  await look(agent, "all");
  for (const person of people) await dotted(agent, person, true);
}
for (const person of people) await person.until(() => document.querySelector("#presence").textContent === "online");
const gone = people[3];
const left = await gone.texts();
gone.hasNoErrors();
await gone.page.context().close();
for (const agent of [sue, tom]) await dotted(agent, gone, false);
step("the dots are right");

// Who does not look has what they did not see counted, and nothing else.
const away = people[0];
const desk = desks.get(away);
await away.page.keyboard.press("Escape");
await look(desk, "all");
await openTalk(desk, away);
for (const number of [1, 2, 3, 4]) await write(desk, away, `news ${number}`);
await away.until(() => document.title.startsWith("(4)"));
await wait(1_000);
assert.match(await away.page.title(), /^\(4\)/);
await away.page.click("#conversations .row");
await away.sees("news 4");
await away.until(() => document.title === "Switchboard");
step("unread counts are right");

// A talk is passed on, closed, and opens again when somebody writes.
const colleague = desk === sue ? tom : sue;
await press(desk, "Pass on");
await desk.page.fill("#ask-field", colleague.id);
await desk.page.click("#ask-action");
await holds(desk, `${colleague.id} answers here.`);
await look(colleague, "mine");
await openTalk(colleague, away);
await holds(colleague, "You answer here.");
await press(colleague, "Close");
await holds(colleague, "Closed.");
await write(away, away, "One more thing");
await holds(colleague, "Nobody answers here yet.");
step("a talk is passed on, closed, and opens again");

// What everybody sees at the end.
for (const person of people) {
  const theirs = person === gone ? left : await person.texts();
  const wanted = written.get(person.id);
  assert.equal(theirs.length, new Set(theirs).size, `${person.name} sees nothing twice`);
  assert.deepEqual([...theirs].sort(), [...wanted].sort(), `${person.name} sees everything`);
  for (const agent of [sue, tom]) {
    await look(agent, "all");
    await openTalk(agent, person);
    await agent.sees(theirs.at(-1));
    await agent.until((count) => document.querySelectorAll("#messages .text").length >= count, theirs.length);
    assert.deepEqual(await agent.texts(), theirs, `${agent.name} sees what ${person.name} sees`);
  }
}
for (const agent of [sue, tom]) {
  await agent.until(() => document.title === "Switchboard");
  await agent.shot(`afternoon-${agent.name}`);
}
for (const person of [sue, tom, ...people]) if (person !== gone) person.hasNoErrors();
step("everybody sees the same, once");

const count = [...written.values()].flat().length;
const took = Math.round((Date.now() - began) / 1000);
console.log(`figures: ${people.length} people, 2 agents, ${count} messages, a node killed half-way, ${took} s`);
await browser.close();
console.log("PASS");
