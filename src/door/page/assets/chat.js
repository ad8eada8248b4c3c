// The list of conversations, and which of them is open.

import { checkUserId, directConversation } from "./client.js";
import { Thread } from "./thread.js";
import { byId, element } from "./view.js";

/** How long changes of the list gather before it is read again, in milliseconds. */
const GATHER = 200;

export class Chat {
  #client;
  #keep;
  #rows = new Map();
  #next;
  #thread;
  #listening = new AbortController();
  #rereading;

  constructor(client, keep) {
    this.#client = client;
    this.#keep = keep;
    this.#clear();
    this.#listen(client, "status", ({ detail }) => detail.state === "online" && this.#online());
    this.#listen(client, "message", ({ detail }) => this.#onMessage(detail));
    this.#listen(client, "pending", () => this.#onPending());
    this.#listen(client, "receipt", ({ detail }) => this.#onReceipt(detail));
    this.#listen(client, "reset", () => this.#onReset());
    this.#listen(document, "visibilitychange", () => this.#thread?.readIfSeen());
    this.#listen(byId("scroll"), "scroll", () => this.#thread?.scrolled());
    this.#listen(byId("text"), "input", () => this.#thread?.drafted());
    this.#listen(byId("text"), "keydown", (event) => this.#onKey(event));
    this.#listen(byId("composer"), "submit", (event) => this.#onSubmit(event));
    this.#listen(byId("open"), "submit", (event) => this.#onOpen(event));
    this.#listen(byId("more-conversations"), "click", () => this.#loadRows(this.#next));
  }

  /** Lets go of the document. */
  close() {
    this.#listening.abort();
    clearTimeout(this.#rereading);
    this.#clear();
  }

  #listen(target, type, handle) {
    target.addEventListener(type, handle, { signal: this.#listening.signal });
  }

  #clear() {
    this.#thread?.close();
    this.#thread = undefined;
    this.#rows.clear();
    byId("conversations").replaceChildren();
    byId("thread").hidden = true;
    byId("nothing-open").hidden = false;
    document.title = "Switchboard";
  }

  #online() {
    this.#keep.belongTo(this.#client.user);
    byId("me").textContent = this.#client.user;
    this.#loadRows();
    if (!this.#thread && this.#keep.open) this.#open(this.#keep.open);
  }

  #onReset() {
    this.#clear();
    this.#online();
  }

  async #loadRows(behind) {
    const page = await this.#client.conversations({ behind }).catch(() => undefined);
    if (!page || this.#listening.signal.aborted) return;
    if (behind === undefined) this.#rows.clear();
    for (const row of page.conversations) this.#rows.set(row.conversation, row);
    this.#next = page.next;
    this.#showRows();
  }

  /** Reads the list again in a moment: what changed cannot be told from what came. */
  #reread() {
    clearTimeout(this.#rereading);
    this.#rereading = setTimeout(() => this.#loadRows(), GATHER);
  }

  #onMessage(message) {
    const isOpen = message.conversation === this.#thread?.conversation;
    if (isOpen) this.#thread.add(message);
    const row = this.#rows.get(message.conversation);
    if (!row) return this.#reread();
    if (message.seq <= row.last_seq) return;
    row.last_seq = message.seq;
    row.last = message;
    if (message.from !== this.#client.user) row.unread += 1;
    // The latest is the first.
    this.#rows.delete(message.conversation);
    this.#rows = new Map([[message.conversation, row], ...this.#rows]);
    this.#showRows();
  }

  #onReceipt({ conversation, user, read }) {
    const row = this.#rows.get(conversation);
    if (!row || user !== this.#client.user || row.unread === 0) return;
    if (read < row.last_seq) return this.#reread();
    row.unread = 0;
    this.#showRows();
  }

  #onPending() {
    this.#keep.pending = this.#client.saved().pending;
    this.#thread?.showPending();
  }

  #onKey(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.#onSubmit(event);
  }

  #onSubmit(event) {
    event.preventDefault();
    this.#thread?.submit();
  }

  async #onOpen(event) {
    event.preventDefault();
    const peer = byId("whom").value.trim();
    byId("open-problem").textContent = "";
    try {
      const conversation = await directConversation(this.#client.user, checkUserId(peer));
      this.#open({ conversation, peer, name: this.#nameOf(conversation) ?? peer });
      byId("whom").value = "";
    } catch (error) {
      byId("open-problem").textContent = error.message;
    }
  }

  #open(thread) {
    this.#keep.open = thread;
    this.#thread?.close();
    this.#thread = new Thread(this.#client, this.#keep, this.#client.user, thread);
    this.#showRows();
  }

  #nameOf(conversation) {
    const row = this.#rows.get(conversation);
    return row && this.#peer(row).name;
  }

  /** The other one, or oneself in a conversation with oneself. */
  #peer({ members }) {
    return members.find(({ user }) => user !== this.#client.user) ?? members[0];
  }

  #showRows() {
    const rows = [...this.#rows.values()];
    byId("conversations").replaceChildren(...rows.map((row) => this.#rowElement(row)));
    byId("more-conversations").hidden = this.#next === undefined;
    const unread = rows.reduce((sum, row) => sum + row.unread, 0);
    document.title = unread > 0 ? `(${unread}) Switchboard` : "Switchboard";
  }

  #rowElement({ conversation, last, unread, ...row }) {
    const { user: peer, name } = this.#peer(row);
    const made = element("button", "conversation", element("span", "who", name));
    if (unread > 0) made.append(element("span", "unread", String(unread)));
    if (last) made.append(element("span", "preview", last.text));
    made.type = "button";
    made.setAttribute("aria-current", String(conversation === this.#thread?.conversation));
    made.onclick = () => this.#open({ conversation, peer, name });
    return element("li", "", made);
  }
}
