// Where one writes: the text, its draft, and what stands in its way.

import { byId, say } from "./view.js";

/** How high the field grows, in pixels. */
const HEIGHT_MAX = 180;

export class Composer {
  #keep;
  #on;
  #conversation;
  #listening = new AbortController();

  /** @param {{ submit: (text: string) => void, typed: (isEmpty: boolean) => void }} on */
  constructor(keep, on) {
    this.#keep = keep;
    this.#on = on;
    const { signal } = this.#listening;
    byId("text").addEventListener("input", () => this.#typed(), { signal });
    byId("text").addEventListener("keydown", (event) => this.#onKey(event), { signal });
    byId("composer").addEventListener("submit", (event) => this.#submit(event), { signal });
  }

  /** Shows the draft of this conversation. */
  open(conversation, label) {
    this.#conversation = conversation;
    byId("text").value = this.#keep.draft(conversation);
    byId("text").placeholder = label;
    this.refuse("");
    this.#fit();
  }

  focus() {
    byId("text").focus({ preventScroll: true });
  }

  /** Puts a text into the field, in front of what is there. */
  putBack(text) {
    const field = byId("text");
    field.value = [text, field.value].filter(Boolean).join("\n");
    this.#draft();
    this.focus();
  }

  /** Says why something was not taken. */
  refuse(problem) {
    say(byId("composer-problem"), problem);
  }

  /** Says what to mind before writing here. */
  warn(warning) {
    say(byId("composer-warning"), warning);
  }

  /** Nothing can be written here, for this reason; or again, without one. */
  close(reason = "") {
    byId("composer").classList.toggle("closed", reason !== "");
    byId("text").disabled = reason !== "";
    byId("send").disabled = reason !== "";
    say(byId("composer-closed"), reason);
  }

  stop() {
    this.#listening.abort();
  }

  #typed() {
    this.#draft();
    this.#on.typed(byId("text").value.trim() === "");
  }

  #draft() {
    this.refuse("");
    this.#keep.setDraft(this.#conversation, byId("text").value);
    this.#fit();
  }

  #fit() {
    const field = byId("text");
    field.style.setProperty("height", "auto");
    field.style.setProperty("height", `${Math.min(HEIGHT_MAX, field.scrollHeight + 2)}px`);
    byId("send").classList.toggle("ready", field.value.trim() !== "");
  }

  #onKey(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.#submit(event);
  }

  #submit(event) {
    event.preventDefault();
    const text = byId("text").value.trim();
    if (text === "" || byId("text").disabled) return;
    try {
      this.#on.submit(text);
    } catch (error) {
      this.refuse(error.message);
      return;
    }
    byId("text").value = "";
    this.#draft();
  }
}
