// Who is signed in, and what they can do with themselves.

import { avatar, update } from "./avatar.js";
import { note } from "./note.js";
import { byId, say } from "./view.js";

const ROLES = { user: "", admin: "Agent", service: "Service" };

export function showMe({ client, people }) {
  const { user, role } = client;
  if (user === undefined) return;
  if (!byId("my-face").firstChild) byId("my-face").append(avatar(user, people.nameOf(user)));
  update(byId("my-face").firstChild, user, people.nameOf(user));
  say(byId("me"), people.nameOf(user));
  say(byId("my-role"), ROLES[role] ?? "");
  byId("my-role").hidden = !ROLES[role];
  byId("appear").onclick = () => appear(client, people);
  const known = people.presence(user);
  if (known) showAppearance(!known.online);
}

/** Whoever is here and is said not to be appears offline. */
function showAppearance(offline) {
  byId("appear").setAttribute("aria-checked", String(offline));
  byId("my-face").classList.toggle("away", offline);
}

async function appear(client, people) {
  const box = byId("appear");
  const wished = box.getAttribute("aria-checked") !== "true";
  try {
    const { offline } = await client.appear(wished);
    people.heard({ users: [{ user: client.user, online: !offline }] });
    showAppearance(offline);
    note(offline ? "Others see you as offline." : "Others see when you are here.");
  } catch ({ code, message }) {
    if (code === "bad_frame") byId("appear").hidden = true;
    note(code === "bad_frame" ? "This server does not show who is here." : message);
  }
}
