// The page of an agent, and of somebody in a group, at a server that says what the test wants: who was faster, who is
// here, what came meanwhile. And whether everybody can use it: axe, in light, dark and on a phone.
//
// PORT is a node, for the page itself.

import assert from "node:assert/strict";

import { Server, id, members } from "./server.mjs";
import { Person, launch } from "./stage.mjs";

const ports = [Number(process.env.PORT)];
const began = Date.now();
const step = (name) => console.log(`ok ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);

const [OPEN, ANNS, TOMS, MINE, CLOSED] = [10, 11, 12, 13, 14].map(id);
const talk = (conversation, person, assignment, more = {}) => ({
  conversation,
  kind: "support",
  members: members(person, "team"),
  assignment,
  ...more,
});

function office() {
  return new Server("sue", "admin")
    .has(
      { conversation: id(1), kind: "direct", members: members("sue", "tom") },
      ["tom", 300, "Lunch at noon?"],
      ["sue", 290, "Gladly."],
    )
    .has(
      talk(OPEN, "bob", { state: "open", change: 0 }, { unread: 2 }),
      ["bob", 9, "How do I change my address?"],
      ["bob", 8, "I have moved."],
    )
    .has(talk(ANNS, "ann", { state: "open", change: 0 }), ["ann", 31, "My parcel is late."])
    .has(
      talk(TOMS, "cy", { state: "claimed", agent: "tom", change: 1 }),
      ["cy", 25, "The app logs me out."],
      ["tom", 20, "Which phone is it?"],
      ["cy", 12, "An old one. The screen is cracked."],
    )
    .has(talk(MINE, "dee", { state: "claimed", agent: "sue", change: 1 }), ["dee", 44, "Where is my invoice?"])
    .has(talk(CLOSED, "eve", { state: "closed", change: 3 }), ["eve", 90, "Thank you!"]);
}

function home() {
  const owners = members("dee", "ann").map((member) => ({ ...member, role: "owner" }));
  return new Server("ann", "user")
    .has(
      { conversation: id(1), kind: "direct", members: members("ann", "bob") },
      ["bob", 1560, "Are we still on for the demo?"],
      ["ann", 1500, "Yes! Thursday, eleven o’clock."],
      ["ann", 1499, "I bring the projector, and the long cable: the short one broke last time."],
      ["bob", 42, "Perfect. The notes are at https://example.com/demo"],
      ["bob", 41, "One more thing: can you ask Dee for the figures?"],
      ["ann", 12, "She says they are ready tomorrow."],
    )
    .has(
      {
        conversation: id(2),
        kind: "group",
        name: "Lake trip",
        history: true,
        unread: 1,
        members: [...owners, ...members("cy", "bob")],
      },
      ["dee", 200, { kind: "created", name: "Lake trip" }],
      ["dee", 199, "Who drives?"],
      ["cy", 190, "I can take four."],
      ["dee", 180, { kind: "added", user: "bob" }],
      ["ann", 165, "And I cook."],
      ["cy", 5, "Then it is settled."],
    )
    .has(
      talk(id(3), "ann", { state: "claimed", agent: "sue" }),
      ["ann", 3000, "My invoice of May is wrong."],
      ["sue", 2900, "Mended: you get a new one by mail."],
    )
    .has({ conversation: id(4), kind: "direct", members: members("ann", "cy") }, ["cy", 9000, "See you"]);
}

const browser = await launch();
const at = (server, more = {}) => Person.come(browser, { name: server.user, token: "any", ports, server, ...more });
const choose = (person, view) => person.page.click(`#filters [data-view=${view}]`);
const titles = (person) =>
  person.page.$$eval("#conversations .row-title", (all) => all.map((title) => title.firstChild.textContent));
const claimed = (person, words) =>
  person.until((words) => document.querySelector("#desk").textContent.includes(words), words);

// The inbox.
const office1 = office();
const sue = await at(office1);
await sue.page.click("#tabs [data-view=open]");
await sue.page.waitForSelector("#conversations .row");
assert.deepEqual(await titles(sue), ["Bob Moreau", "Ann Lindqvist"]);
assert.equal(await sue.page.textContent("#inbox-count"), "1");
await sue.isAccessible("inbox");
for (const [view, wanted] of [
  ["mine", ["Dee Okafor"]],
  ["closed", ["eve"]],
  ["all", ["Bob Moreau", "Cyrus Vance", "Ann Lindqvist", "Dee Okafor", "eve"]],
]) {
  await choose(sue, view);
  await sue.until((count) => document.querySelectorAll("#conversations .row").length === count, wanted.length);
  assert.deepEqual(await titles(sue), wanted, view);
}
step("the inbox has its parts");

// Claiming, and being too late.
const plain = office1.answer.bind(office1);
const toms = { state: "claimed", agent: "tom", change: 2 };
office1.answer = (frame) => {
  if (frame.type !== "claim") return plain(frame);
  if (frame.conversation === ANNS)
    return { type: "error", code: "conflict", message: "late", conversation: ANNS, assignment: { ...toms } };
  return { type: "assignment", conversation: frame.conversation, agent: "sue", state: "claimed", by: "sue", change: 5 };
};
await sue.open("Bob Moreau");
await claimed(sue, "Nobody answers here yet.");
await sue.page.click("#desk >> text=Claim");
await claimed(sue, "You answer here.");
await sue.open("Ann Lindqvist");
await sue.page.click("#desk >> text=Claim");
await claimed(sue, "Tom Baker answers here.");
await sue.until(() => document.querySelector("#note").textContent.startsWith("Somebody was faster"));
await sue.until(() =>
  document.querySelector("#composer-warning").textContent.startsWith("Tom Baker is answering here."),
);
await sue.isAccessible("a talk that somebody else holds");
office1.say({ type: "assignment", conversation: ANNS, state: "open", by: "system", change: 3 });
await claimed(sue, "Nobody answers here yet.");
office1.say({ type: "assignment", conversation: ANNS, ...toms, by: "tom" });
toms.change = 4;
await sue.page.click("#desk >> text=Claim");
await claimed(sue, "Tom Baker answers here.");
step("of two agents one wins, and the other is told");

// Two answer at once: the second one sees the first one's words, and keeps their own.
await sue.open("Cyrus Vance");
await sue.sees("An old one. The screen is cracked.");
office1.answer = (frame) => {
  if (frame.type !== "send") return plain(frame);
  assert.equal(frame.head, 3, "what she has seen");
  office1.answer = plain;
  const met = office1.tell(TOMS, "tom", "Then try to sign in again, please.");
  return {
    type: "error",
    code: "conflict",
    message: "late",
    key: frame.key,
    conversation: TOMS,
    messages: [met],
    more: false,
  };
};
await sue.write("Does it help to restart it?");
await sue.page.waitForSelector("#pending .failed");
assert.match(await sue.page.textContent("#pending .why"), /meanwhile 1 message came/);
assert.deepEqual((await sue.texts()).slice(-2), ["Then try to sign in again, please.", "Does it help to restart it?"]);
await sue.isAccessible("a conflict");
await sue.shot("conflict");
await sue.page.click("#pending >> text=Edit");
assert.equal(await sue.page.inputValue("#text"), "Does it help to restart it?");
assert.equal(await sue.page.locator("#pending li").count(), 0);
await sue.write("If not, restart it.");
await sue.sees("If not, restart it.");
assert.equal(office1.heard.filter(({ type }) => type === "send").at(-1).head, 4, "by now she has seen it");
step("two agents never answer blind");

// What is not there is not offered.
await sue.page.click("#open-details");
await sue.page.click("#details >> text=Ban from the chat");
await sue.page.waitForSelector("#ask[open]");
await sue.isAccessible("a question");
await sue.page.click("#ask-action");
await sue.until(() => document.querySelector("#note").textContent === "This server cannot do that.");
sue.hasNoErrors();

// A group.
const home1 = home();
const ann = await at(home1);
await ann.open("Bob Moreau");
home1.say({ type: "typing", conversation: id(4), user: "cy", active: true, expires_ms: 60_000 });
await ann.until(() => document.querySelector("#presence").textContent === "online");
await ann.until(() => [...document.querySelectorAll(".row-preview")].some((line) => line.textContent === "typing …"));
await ann.shot("conversation");
await ann.open("Lake trip");
await ann.until(() => document.querySelector("#presence").textContent === "4 members, 2 online");
await ann.page.waitForSelector("text=Dee Okafor added Bob Moreau");
await ann.page.click("#open-details");
await ann.until(() => document.querySelectorAll("#members li").length === 4);
await ann.isAccessible("a group");
await ann.page.click(".member:nth-child(2) summary");
await ann.shot("group");
home1.answer = ((before) => (frame) => {
  if (frame.type !== "group") return before(frame);
  home1.rows[1].members = home1.rows[1].members.filter(({ user }) => user !== frame.user);
  return {
    type: "sent",
    key: frame.key,
    conversation: frame.conversation,
    seq: 7,
    id: "3".repeat(24),
    at: Date.now(),
    shown: true,
  };
})(home1.answer.bind(home1));
await ann.page.click(".member:nth-child(2) >> text=Remove from the group");
await ann.page.waitForSelector("#ask[open]");
await ann.page.click("#ask-action");
await ann.page.waitForSelector("text=You removed");
await ann.until(() => document.querySelectorAll("#members li").length === 3);
await ann.page.click("#side summary");
await ann.page.click("#appear");
await ann.until(() => document.querySelector("#appear").getAttribute("aria-checked") === "true");
step("a group shows its members, and what happens to them");

await ann.page.click("#new");
await ann.page.click("#start-group");
await ann.page.fill("#group-whom", "bob dee");
await ann.page.press("#group-whom", "Enter");
await ann.until(() => document.querySelectorAll("#group-people li").length === 2);
await ann.isAccessible("a new group");
await ann.shot("new-group");
await ann.page.click("#group-cancel");
ann.hasNoErrors();

// Long lists and long talks come in pages, as one scrolls, and what is looked at stays where it is.
const long = new Server("ann", "user");
const lines = Array.from({ length: 130 }, (_, at) => ["bob", 2_000 - at, `Line ${at + 1}, ${"word ".repeat(at % 9)}`]);
long.has({ conversation: id(1), kind: "direct", members: members("ann", "bob") }, ...lines);
for (let number = 2; number <= 45; number += 1) {
  const people = [...members("ann"), { user: `person-${number}`, name: `Person ${number}`, online: false }];
  long.has({ conversation: id(number), kind: "direct", members: people }, [
    `person-${number}`,
    3_000 + number,
    "Hello",
  ]);
}
const reader = await at(long);
await reader.until(() => document.querySelectorAll("#conversations li").length === 20);
for (const count of [40, 45]) {
  await reader.page.evaluate(() => (document.querySelector("#rows").scrollTop = 1e6));
  await reader.until((count) => document.querySelectorAll("#conversations li").length === count, count);
}
assert.equal(new Set(await titles(reader)).size, 45);
await reader.page.fill("#search", "person 33");
await reader.until(() => document.querySelectorAll("#conversations li").length === 1);
await reader.page.fill("#search", "nobody of that name");
await reader.until(() => document.querySelector("#empty-title").textContent === "Nothing found");
await reader.page.fill("#search", "");
await reader.open("Bob Moreau");
await reader.until(() => document.querySelectorAll("#messages li").length === 50);
const before = await reader.page.evaluate(() => {
  document.querySelector("#scroll").scrollTop = 200;
  return Math.round(document.querySelector('[data-seq="81"] .bubble').getBoundingClientRect().bottom);
});
await reader.until(() => document.querySelectorAll("#messages li").length >= 100);
const after = await reader.page.evaluate(() =>
  Math.round(document.querySelector('[data-seq="81"] .bubble').getBoundingClientRect().bottom),
);
assert.ok(Math.abs(after - before) <= 60, `what is looked at stays where it is: ${before}, ${after}`);
await reader.page.evaluate(() => (document.querySelector("#scroll").scrollTop = 0));
await reader.until(() => document.querySelectorAll("#messages li").length === 130);
reader.hasNoErrors();
step("long lists and long talks come in pages");

// In the dark, and on a phone.
const dark = await at(home(), { isDark: true });
await dark.open("Lake trip");
await dark.page.click("#open-details");
await dark.until(() => document.querySelectorAll("#members li").length === 4);
await dark.isAccessible("a group, dark");
await dark.shot("group-dark");
const phone = await at(office(), { isPhone: true, isDark: true });
await phone.page.click("#tabs [data-view=open]");
await choose(phone, "all");
await phone.page.waitForSelector("#conversations .row >> nth=4");
await phone.isAccessible("inbox on a phone, dark");
await phone.shot("phone-inbox");
await phone.open("Cyrus Vance");
await claimed(phone, "Tom Baker answers here.");
await phone.isAccessible("a talk on a phone, dark");
await phone.shot("phone-talk");
await phone.page.goBack();
await phone.page.waitForSelector("#conversations .row >> nth=4");
assert.equal(await phone.page.isVisible("#thread"), false, "the browser's way back leads to the list");
for (const person of [dark, phone]) person.hasNoErrors();
step("axe finds nothing in the dark and on a phone");

await browser.close();
console.log("PASS");
