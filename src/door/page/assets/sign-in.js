// Asks who is there: by name where the node has development logins, by token elsewhere.

import { byId, say } from "./view.js";

/** Answers `{ name, role }` or `{ token }`. */
export function askWho(problem = "") {
  const isByName = document.body.dataset.signIn === "name";
  const form = byId(isByName ? "by-name" : "by-token");
  const field = byId(isByName ? "name" : "token");
  byId("sign-in").hidden = false;
  say(byId("sign-in-problem"), problem);
  form.hidden = false;
  field.focus();
  return new Promise((done) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      byId("sign-in").hidden = true;
      const said = field.value.trim();
      field.value = "";
      done(isByName ? { name: said, role: byId("as-agent").checked ? "admin" : "user" } : { token: said });
    };
  });
}
