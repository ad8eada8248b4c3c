// One conversation in the list.

import { avatar, update as updateAvatar } from "./avatar.js";
import { describe } from "./events.js";
import { counted, shortTime } from "./format.js";
import { faceOf, titleOf, writing } from "./heading.js";
import { element, unseen } from "./view.js";

export function makeRow(row, open) {
  const made = element("button", "row");
  made.type = "button";
  made.onclick = open;
  const head = element("span", "row-head", element("span", "row-title"), element("time", "row-time"));
  const foot = element("span", "row-foot", element("span", "row-preview"), element("span", "row-marks"));
  made.append(avatar(row.conversation, "?"), element("span", "row-text", head, foot));
  return element("li", "", made);
}

/** Shows a row as it is now. */
export function updateRow(item, row, { client, keep, rows, people, typers, open }) {
  const made = item.firstElementChild;
  const title = titleOf(row, rows, people);
  const face = faceOf(row, rows);
  const isOnline = row.kind !== "group" && people.isOnline(face);
  const typing = writing(typers.in(row.conversation), row, people);
  const draft = row.conversation === open ? "" : keep.draft(row.conversation);
  const preview = typing || (draft ? `Draft: ${draft}` : previewOf(row, client.user, people, rows.peer(row)));
  const holder = rows.isDesk(row) ? holderOf(row, client.user, people) : "";
  const time = row.last ? shortTime(row.last.at) : "";
  const isOpen = row.conversation === open;
  if (made.getAttribute("aria-current") !== String(isOpen)) made.setAttribute("aria-current", String(isOpen));
  const look = [title, face, isOnline, preview, typing, draft, time, row.unread, holder].join("\n");
  if (made.dataset.look === look) return;
  made.dataset.look = look;
  updateAvatar(made.querySelector(".avatar"), face, title, isOnline);
  made.querySelector(".row-title").replaceChildren(title, ...(isOnline ? [unseen(", online")] : []));
  const timeElement = made.querySelector(".row-time");
  timeElement.textContent = time;
  if (row.last) timeElement.dateTime = new Date(row.last.at).toISOString();
  const line = made.querySelector(".row-preview");
  line.textContent = preview;
  line.className = `row-preview${typing ? " writing" : draft ? " draft" : ""}`;
  made.querySelector(".row-marks").replaceChildren(...marks(row.unread, holder));
  made.classList.toggle("unread", row.unread > 0);
}

/** The last message, with its writer where that is not plain. */
function previewOf({ kind, last, members, isNew }, me, people, peer) {
  if (!last) return isNew ? "Write the first message" : "";
  if (last.event) return describe(last.event, last.from, (user) => people.called(user)) ?? "";
  const isPlain = kind !== "group" && last.from === peer && peer !== me;
  const text = last.text.replace(/\s+/g, " ");
  return isPlain || members.length === 1 ? text : `${people.called(last.from)}: ${text}`;
}

function holderOf({ assignment }, me, people) {
  if (assignment?.state === "closed") return "Closed";
  if (assignment?.state !== "claimed") return "";
  return assignment.agent === me ? "You" : people.nameOf(assignment.agent);
}

function marks(unread, holder) {
  const made = [];
  if (holder) made.push(element("span", "holder", unseen("answered by "), holder));
  if (unread > 0) {
    const badge = element("span", "badge", unread > 99 ? "99+" : String(unread));
    badge.append(unseen(` ${counted(unread, "unread message").replace(/^\d+ /, "")}`));
    made.push(badge);
  }
  return made;
}
