// One open conversation: its messages in order, what is on its way, and the composer.

import { button, byId, element, time } from "./view.js";

/** How near to the end counts as the end, and to the beginning as the beginning, in pixels. */
const NEAR = 60;

export class Thread {
  #client;
  #keep;
  #me;
  #messages = new Map();
  #isLoading = false;
  #hasMore = true;
  #readUpTo = 0;
  #isClosed = false;

  /** @param {{ conversation: string, peer: string, name: string }} what */
  constructor(client, keep, me, { conversation, peer, name }) {
    this.#client = client;
    this.#keep = keep;
    this.#me = me;
    this.conversation = conversation;
    this.peer = peer;
    byId("with").textContent = name;
    byId("messages").replaceChildren();
    byId("thread").hidden = false;
    byId("nothing-open").hidden = true;
    byId("beginning").hidden = true;
    byId("composer-problem").textContent = "";
    byId("text").value = keep.draft(conversation);
    byId("text").focus();
    this.showPending();
    this.#load();
  }

  /** Another one is opened in its place. */
  close() {
    this.#isClosed = true;
  }

  /** A message came, live. */
  add(message) {
    const follows = this.#isAtEnd() || message.from === this.#me;
    this.#insert(message);
    if (follows) this.#scrollToEnd();
    this.readIfSeen();
  }

  /** Shows what is on its way, in order, behind everything that has its place. */
  showPending() {
    const follows = this.#isAtEnd();
    const entries = this.#client.pending().filter((entry) => entry.conversation === this.conversation);
    byId("pending").replaceChildren(...entries.map((entry) => this.#pendingElement(entry)));
    if (follows) this.#scrollToEnd();
  }

  /** Says that everything was read, if somebody is looking at it. */
  readIfSeen() {
    const last = Math.max(0, ...this.#messages.keys());
    if (document.visibilityState !== "visible" || !this.#isAtEnd() || last <= this.#readUpTo) return;
    this.#readUpTo = last;
    this.#client.read(this.conversation, last).catch(() => (this.#readUpTo = 0));
  }

  /** The list was scrolled. */
  scrolled() {
    if (byId("scroll").scrollTop < NEAR) this.#load();
    this.readIfSeen();
  }

  /** Sends what the composer holds. */
  submit() {
    const text = byId("text").value.trim();
    if (text === "") return;
    try {
      this.#client.send({ conversation: this.conversation, to: this.peer, text });
    } catch (error) {
      byId("composer-problem").textContent = error.message;
      return;
    }
    byId("text").value = "";
    this.drafted();
    this.#scrollToEnd();
  }

  /** The composer's text changed. */
  drafted() {
    byId("composer-problem").textContent = "";
    this.#keep.setDraft(this.conversation, byId("text").value);
  }

  /** Loads the page of messages before those that are here. */
  async #load() {
    if (this.#isLoading || !this.#hasMore) return;
    this.#isLoading = true;
    const isFirst = this.#messages.size === 0;
    const before = isFirst ? undefined : Math.min(...this.#messages.keys());
    const page = await this.#client.history(this.conversation, { before, limit: 50 }).catch(notBegun);
    this.#isLoading = false;
    if (this.#isClosed || !page) return;
    this.#hasMore = page.more;
    byId("beginning").hidden = page.more;
    const scroll = byId("scroll");
    const fromEnd = scroll.scrollHeight - scroll.scrollTop;
    page.messages.forEach((message) => this.#insert(message));
    if (isFirst) this.#scrollToEnd();
    else scroll.scrollTop = scroll.scrollHeight - fromEnd;
    this.readIfSeen();
  }

  /** Puts a message at its place, once. */
  #insert(message) {
    if (this.#messages.has(message.seq)) return;
    const { seq, from, at, text } = message;
    const made = element("li", from === this.#me ? "message mine" : "message", element("p", "text", text), time(at));
    if (from === this.#me) made.append(" ", element("span", "state", "sent"));
    const later = [...this.#messages].filter(([other]) => other > seq).sort(([one], [other]) => one - other)[0];
    byId("messages").insertBefore(made, later?.[1] ?? null);
    this.#messages.set(seq, made);
  }

  #pendingElement({ key, text, state, reason }) {
    const isFailed = state === "failed";
    const made = element("li", `message mine ${isFailed ? "failed" : "pending"}`, element("p", "text", text));
    made.append(element("span", "state", isFailed ? `not sent: ${reason} ` : "sending …"));
    if (isFailed) {
      made.append(button("Send again", () => this.#client.retry(key)), " ");
      made.append(button("Discard", () => this.#client.discard(key)));
    }
    return made;
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = byId("scroll");
    return scrollHeight - scrollTop - clientHeight < NEAR;
  }

  #scrollToEnd() {
    byId("scroll").scrollTop = byId("scroll").scrollHeight;
  }
}

/** A direct conversation begins with its first message; before that there is none to read. */
function notBegun({ code }) {
  return code === "forbidden" ? { messages: [], more: false } : undefined;
}
