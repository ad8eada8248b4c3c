// Beside a conversation: who is in it, and what can be done with them.

import { ask } from "./ask.js";
import { avatar } from "./avatar.js";
import { lastSeen } from "./format.js";
import { faceOf, titleOf } from "./heading.js";
import { mayManage, showMembers } from "./members.js";
import { note } from "./note.js";
import { button, byId, element, say } from "./view.js";

export class Details {
  #world;
  #conversation;
  #look;
  #listening = new AbortController();

  constructor(world) {
    this.#world = world;
    byId("close-details").addEventListener("click", () => this.hide(), { signal: this.#listening.signal });
  }

  close() {
    this.hide();
    this.#listening.abort();
  }

  /** This conversation is the open one. */
  show(conversation) {
    this.#conversation = conversation;
    this.#look = undefined;
    this.refresh();
  }

  toggle() {
    if (!byId("details").hidden) return this.hide();
    byId("details").hidden = false;
    byId("open-details").setAttribute("aria-expanded", "true");
    this.refresh();
    byId("close-details").focus();
    return true;
  }

  /** Answers whether it was there. */
  hide() {
    const was = !byId("details").hidden;
    byId("details").hidden = true;
    byId("open-details").setAttribute("aria-expanded", "false");
    if (was && byId("details").contains(document.activeElement)) byId("open-details").focus();
    return was;
  }

  refresh() {
    const { rows, people } = this.#world;
    const row = rows.get(this.#conversation);
    if (byId("details").hidden || !row) return;
    const title = titleOf(row, rows, people);
    const peer = row.kind === "group" ? undefined : rows.peer(row);
    const presence = peer && people.presence(peer);
    const look = JSON.stringify([
      row.conversation,
      title,
      row.members,
      row.role,
      peer && [presence, people.isBlocked(peer)],
    ]);
    if (look === this.#look) return;
    this.#look = look;
    byId("details-face").replaceChildren(avatar(faceOf(row, rows), title, { online: presence?.online }));
    say(byId("details-title"), title);
    say(byId("details-id"), peer ?? "");
    byId("details-id").hidden = !peer || peer === title;
    say(
      byId("details-presence"),
      presence ? (presence.online ? "online" : presence.last_seen ? lastSeen(presence.last_seen) : "offline") : "",
    );
    byId("members-part").hidden = row.kind !== "group";
    if (row.kind === "group") showMembers(row, this.#world, (change) => this.#change(row, change));
    byId("details-actions").replaceChildren(...(row.kind === "group" ? this.#ofGroup(row) : this.#ofPerson(row, peer)));
  }

  #ofGroup(row) {
    const me = row.members.find(({ user }) => user === this.#world.client.user);
    if (!me) return [];
    const made = [];
    if (mayManage(row, me)) made.push(button("Rename the group", () => this.#rename(row), "wide"));
    made.push(button("Leave the group", () => this.#leave(row), "wide grave-text"));
    made.push(
      element(
        "p",
        "hint",
        row.history
          ? "Who is added later sees all earlier messages."
          : "Who is added later sees only what is written from then on.",
      ),
    );
    return made;
  }

  #ofPerson(row, peer) {
    const { client, people } = this.#world;
    const made = [];
    const isPerson = peer !== client.user && peer !== "team";
    if (isPerson && row.kind === "direct" && !client.lacks("blocks")) {
      const isBlocked = people.isBlocked(peer);
      made.push(button(isBlocked ? "Unblock" : "Block", () => this.#block(peer, !isBlocked), "wide"));
    }
    if (isPerson && client.role !== "user" && !client.lacks("ban")) {
      made.push(button("Ban from the chat", () => this.#ban(peer, true), "wide grave-text"));
      made.push(button("Lift the ban", () => this.#ban(peer, false), "wide"));
    }
    return made;
  }

  async #rename(row) {
    const question = {
      title: "Rename the group",
      text: "All members see the new name.",
      field: "Name",
      value: row.name,
      action: "Rename",
    };
    const name = await ask(question);
    if (name && name !== row.name) await this.#change(row, { action: "name", name });
  }

  async #leave(row) {
    const text = "You will no longer see what is written there. Somebody else must add you again.";
    if (!(await ask({ title: "Leave this group?", text, action: "Leave", isGrave: true }))) return;
    await this.#change(row, { action: "leave" });
  }

  async #block(user, active) {
    const { people } = this.#world;
    const text =
      "They can no longer write to you directly or see whether you are here. Groups and the support team go on.";
    if (active && !(await ask({ title: `Block ${people.nameOf(user)}?`, text, action: "Block", isGrave: true })))
      return;
    await people.block(user, active).catch(complain);
  }

  async #ban(user, active) {
    const { client, people } = this.#world;
    const name = people.nameOf(user);
    const question = active
      ? {
          title: `Ban ${name}?`,
          text: "They are signed out everywhere at once and cannot come back until the ban is lifted.",
          action: "Ban",
        }
      : { title: `Lift the ban of ${name}?`, text: "They can sign in again.", action: "Lift the ban" };
    const more = active ? { field: "Reason, for the record", isOptional: true, isGrave: true } : {};
    const answer = await ask({ ...question, ...more });
    if (answer === undefined) return;
    const reason = typeof answer === "string" && answer !== "" ? answer : undefined;
    await client
      .ban(user, active, reason)
      .then(() => note(active ? `${name} is banned.` : `${name} may come back.`), complain);
  }

  /** Changes the group: what comes of it is told by its message. */
  async #change({ conversation }, change) {
    await this.#world.client.group({ conversation, ...change }).catch(complain);
  }
}

function complain({ code, message }) {
  note(code === "bad_frame" ? "This server cannot do that." : message);
}
