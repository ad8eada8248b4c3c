// What is on its way in the open conversation, and what did not get there.

import { counted } from "./format.js";
import { picture } from "./ticks.js";
import { arrange, button, byId, element } from "./view.js";

/** @param {(entry: object) => void} edit gives its text back to its writer */
export function showPending(entries, client, edit) {
  arrange(byId("pending"), entries, {
    keyOf: ({ key }) => key,
    make: () => element("li", ""),
    update(made, entry) {
      const look = `${entry.state === "failed"} ${entry.reason}`;
      if (made.dataset.look === look) return;
      made.dataset.look = look;
      made.replaceChildren(...(entry.state === "failed" ? failed(entry, client, edit) : underWay(entry)));
      made.className = `message ours first last ${entry.state === "failed" ? "failed" : "under-way"}`;
    },
  });
}

function underWay({ text }) {
  const foot = element("span", "foot", element("span", "tick", picture("pending")));
  return [element("div", "line", element("div", "bubble", element("p", "text", text), foot))];
}

function failed(entry, client, edit) {
  const { key, text, reason, conflict } = entry;
  const why = conflict ? met(conflict) : `Not sent: ${reason}.`;
  const actions = element(
    "span",
    "actions",
    button(conflict ? "Send anyway" : "Send again", () => client.retry(key), "small"),
    button("Edit", () => edit(entry), "small"),
    button("Discard", () => client.discard(key), "small quiet"),
  );
  const alert = element("p", "why", why);
  alert.setAttribute("role", "alert");
  return [element("div", "line", element("div", "bubble", element("p", "text", text))), alert, actions];
}

function met({ messages, more }) {
  const count = more ? `more than ${messages.length} messages` : counted(messages.length, "message");
  return `Not sent: meanwhile ${count} came that you had not seen.`;
}
