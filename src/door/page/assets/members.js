// The members of a group, and what its owners do with them.

import { ask } from "./ask.js";
import { avatar, update as updateAvatar } from "./avatar.js";
import { arrange, button, byId, element, icon, say, unseen } from "./view.js";

/** @param {(change: object) => void} change */
export function showMembers(row, world, change) {
  const { client, people } = world;
  const me = row.members.find(({ user }) => user === client.user);
  const manages = me !== undefined && mayManage(row, me);
  say(byId("members-count"), String(row.member_count ?? row.members.length));
  byId("add-member").hidden = !manages;
  byId("add-member").onclick = () => add(change);
  const inOrder = [...row.members].sort(
    (one, other) => rank(one) - rank(other) || (people.nameOf(one.user) < people.nameOf(other.user) ? -1 : 1),
  );
  arrange(byId("members"), inOrder, {
    keyOf: ({ user }) => user,
    make: ({ user }) =>
      element(
        "li",
        "member",
        avatar(user, people.nameOf(user)),
        element("span", "member-text"),
        element("span", "member-menu"),
      ),
    update(made, member) {
      const { user, role } = member;
      const name = people.nameOf(user);
      const isOnline = user === client.user || people.isOnline(user);
      const look = [name, role, isOnline, manages].join("\n");
      if (made.dataset.look === look) return;
      made.dataset.look = look;
      updateAvatar(made.querySelector(".avatar"), user, name, isOnline);
      const said = element("span", "member-name", user === client.user ? `${name} (you)` : name);
      if (isOnline) said.append(unseen(", online"));
      const marks = role === "owner" ? [element("span", "member-role", "Owner")] : [];
      made.querySelector(".member-text").replaceChildren(said, ...marks);
      const isOther = user !== client.user;
      made.querySelector(".member-menu").replaceChildren(...(isOther && manages ? [menu(member, name, change)] : []));
    },
  });
}

/** Whether somebody may change the group: its owners, or anybody where it has none. */
export function mayManage(row, member) {
  return member?.role === "owner" || !row.members.some(({ role }) => role === "owner");
}

function rank({ role }) {
  return role === "owner" ? 0 : 1;
}

function menu({ user, role }, name, change) {
  const made = element("details", "menu");
  const summary = element("summary", "icon-button", icon("more"), unseen(`What to do with ${name}`));
  const items = element("div", "menu-items");
  const other = role === "owner" ? "member" : "owner";
  items.append(
    button(other === "owner" ? "Make an owner" : "No longer an owner", () =>
      change({ action: "role", user, role: other }),
    ),
  );
  items.append(button("Remove from the group", () => remove(user, name, change), "grave-text"));
  made.append(summary, items);
  return made;
}

async function remove(user, name, change) {
  const question = {
    title: `Remove ${name}?`,
    text: "They keep what they saw until now and see nothing further.",
    action: "Remove",
    isGrave: true,
  };
  if (await ask(question)) change({ action: "remove", user });
}

async function add(change) {
  const user = await ask({
    title: "Add a person",
    text: "Everybody in the group sees that they were added.",
    field: "Their user id",
    action: "Add",
  });
  if (user) change({ action: "add", user });
}
