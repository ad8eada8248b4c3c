// Asks one thing in a dialog: whether to do something, or a line of text.

import { byId, say } from "./view.js";

/**
 * @param {{ title: string, text: string, action: string, field?: string, value?: string, isOptional?: boolean,
 *   isGrave?: boolean }} question
 * @returns {Promise<string | true | undefined>} what was written, or true; undefined if it was called off
 */
export function ask({ title, text, action, field, value = "", isOptional = false, isGrave = false }) {
  const dialog = byId("ask");
  const input = byId("ask-field");
  say(byId("ask-title"), title);
  say(byId("ask-text"), text);
  say(byId("ask-label"), field ?? "");
  byId("ask-line").hidden = field === undefined;
  input.value = value;
  input.required = field !== undefined && !isOptional;
  say(byId("ask-action"), action);
  byId("ask-action").classList.toggle("grave", isGrave);
  return new Promise((done) => {
    let answer;
    byId("ask-form").onsubmit = (event) => {
      event.preventDefault();
      answer = field === undefined ? true : input.value.trim();
      dialog.close();
    };
    byId("ask-cancel").onclick = () => dialog.close();
    dialog.onclose = () => done(answer);
    dialog.showModal();
    (field === undefined ? byId(isGrave ? "ask-cancel" : "ask-action") : input).focus();
  });
}
