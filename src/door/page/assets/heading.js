// The head of an open conversation: who it is with, and what can be done.

import { avatar } from "./avatar.js";
import { counted, lastSeen, listed } from "./format.js";
import { byId, element, say } from "./view.js";

/** What a conversation is called. */
export function titleOf(row, rows, people) {
  if (row.kind === "group") return row.name || "Group";
  const peer = rows.peer(row);
  return peer === rows.me.user ? `${people.nameOf(peer)} (you)` : people.nameOf(peer);
}

/** Whose picture stands for it. */
export function faceOf(row, rows) {
  return row.kind === "group" ? row.conversation : rows.peer(row);
}

/** Who writes, in words; nothing if nobody does. */
export function writing(users, row, people) {
  if (users.length === 0) return "";
  if (row.kind === "direct") return "typing …";
  const names = users.slice(0, 2).map((user) => people.nameOf(user));
  return users.length > 2
    ? "several people are typing …"
    : `${listed(names)} ${users.length > 1 ? "are" : "is"} typing …`;
}

/** Shows the head of this conversation. */
export function showHeading(row, rows, people, typers) {
  const title = titleOf(row, rows, people);
  const face = faceOf(row, rows);
  const isOnline = row.kind !== "group" && people.isOnline(face);
  say(byId("with"), title);
  const shown = `${face} ${title} ${isOnline}`;
  if (byId("face").dataset.shown !== shown) {
    byId("face").dataset.shown = shown;
    byId("face").replaceChildren(avatar(face, title, { online: isOnline }));
  }
  const writes = writing(typers.in(row.conversation), row, people);
  const line = element("span", writes ? "writing" : "", writes || presenceLine(row, rows, people));
  if (byId("presence").textContent !== line.textContent) byId("presence").replaceChildren(line);
}

function presenceLine(row, rows, people) {
  if (row.kind === "group") {
    const count = row.member_count ?? row.members.length;
    const online = row.members.filter(({ user }) => user !== rows.me.user && people.isOnline(user)).length;
    return counted(count, "member") + (online > 0 ? `, ${online} online` : "");
  }
  const peer = rows.peer(row);
  const known = people.presence(peer);
  if (people.isBlocked(peer)) return "blocked";
  if (peer === rows.me.user) return "only you read this";
  if (known?.online) return "online";
  if (known?.last_seen !== undefined) return lastSeen(known.last_seen);
  if (row.kind === "support") return rows.isDesk(row) ? "writes to the team" : "We answer here";
  return known ? "offline" : "";
}
