// Whose a talk with the team is: shown above its messages, and changed there by agents.

import { ask } from "./ask.js";
import { note } from "./note.js";
import { button, byId, element } from "./view.js";

/** What to mind before writing there. */
export function warning(row, rows, people) {
  const { state, agent } = row.assignment ?? {};
  if (!rows.isDesk(row) || state !== "claimed" || agent === rows.me.user) return "";
  return `${people.nameOf(agent)} is answering here. Take the talk over, or they may answer, too.`;
}

/** Shows the bar, where there is something to say. */
export function showDesk(row, rows, people, client) {
  const bar = byId("desk");
  const { state, agent } = row.assignment ?? {};
  const isShown = row.kind === "support" && state !== undefined && (rows.isDesk(row) || state === "claimed");
  bar.hidden = !isShown;
  if (!isShown) return;
  const look = `${row.conversation} ${state} ${agent} ${agent && people.nameOf(agent)}`;
  if (bar.dataset.look === look) return;
  bar.dataset.look = look;
  bar.className = `desk ${state}${agent === rows.me.user ? " mine" : ""}`;
  bar.replaceChildren(element("span", "desk-text", inWords(row, rows, people)));
  if (rows.isDesk(row)) bar.append(element("span", "actions", ...actions(row, rows, client)));
}

function inWords(row, rows, people) {
  const { state, agent } = row.assignment;
  if (state === "closed") return "Closed. It opens again when they write.";
  if (state === "open") return "Nobody answers here yet.";
  if (!rows.isDesk(row)) return `${people.nameOf(agent)} is answering you.`;
  return agent === rows.me.user ? "You answer here." : `${people.nameOf(agent)} answers here.`;
}

function actions(row, rows, client) {
  const { conversation } = row;
  const { state, agent } = row.assignment;
  const change = (action, more = {}) => changeDesk({ conversation, action, ...more }, rows, client);
  const close = button("Close", () => change("close", { from: agent ?? undefined }), "small");
  if (state === "closed") return [button("Reopen", () => change("reopen"), "small")];
  if (state === "open") return [button("Claim", () => change("claim"), "small primary"), close];
  if (agent !== rows.me.user) return [button("Take over", () => change("claim", { from: agent }), "small"), close];
  return [button("Pass on", () => passOn(change), "small"), button("Give back", () => change("free"), "small"), close];
}

async function passOn(change) {
  const to = await ask({
    title: "Pass this talk on",
    text: "Which agent answers from here on?",
    field: "Their user id",
    action: "Pass on",
  });
  if (to) await change("pass", { to });
}

async function changeDesk(what, rows, client) {
  try {
    rows.assignment(await client.claim(what));
  } catch (error) {
    if (error.assignment) rows.assignment({ conversation: what.conversation, ...error.assignment });
    note(error.code === "conflict" ? "Somebody was faster: see who answers now." : error.message);
  }
}
