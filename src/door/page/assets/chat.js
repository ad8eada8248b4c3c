// The page while somebody is signed in: brings what the client tells to the list and to the open conversation.

import { Back } from "./back.js";
import { Deliveries } from "./deliveries.js";
import { Details } from "./details.js";
import { List } from "./list.js";
import { showMe } from "./me.js";
import { People } from "./people.js";
import { Rows } from "./rows.js";
import { Shortcuts } from "./shortcuts.js";
import { Start } from "./start.js";
import { Thread } from "./thread.js";
import { Typers } from "./typers.js";
import { byId } from "./view.js";

/** How often what is said about times is looked at again, in milliseconds. */
const MINUTE = 60_000;

export class Chat {
  #client;
  #keep;
  #world;
  #list;
  #details;
  #deliveries;
  #back;
  #thread;
  #listening = new AbortController();
  #minute;

  constructor(client, keep) {
    this.#client = client;
    this.#keep = keep;
    const [rows, people, typers] = [new Rows(client), new People(client), new Typers(client)];
    this.#deliveries = new Deliveries(client);
    this.#world = { client, keep, rows, people, typers, deliveries: this.#deliveries };
    this.#list = new List(this.#world, (row) => this.open(row));
    this.#details = new Details(this.#world);
    new Start(this.#world, (row) => this.open(row), this.#listening.signal);
    this.#back = new Back(() => this.#leave(), this.#listening.signal);
    new Shortcuts({ step: (by) => this.#step(by), leave: () => this.#escape() }, this.#listening.signal);
    this.#showNothing();
    this.#hear();
    this.#minute = setInterval(() => this.#refresh(), MINUTE);
  }

  /** Lets go of the document. */
  close() {
    this.#listening.abort();
    clearInterval(this.#minute);
    this.#thread?.close();
    this.#thread = undefined;
    this.#list.close();
    this.#details.close();
    this.#deliveries.close();
    this.#world.people.close();
    this.#world.typers.close();
    document.title = "Switchboard";
  }

  /** Opens a conversation, which may be one that has not begun. */
  open(row) {
    const { rows } = this.#world;
    this.#thread?.close();
    const { conversation, kind, name, members } = rows.begin(row);
    this.#keep.open = { conversation, kind, name, members: members.map(({ user, name }) => ({ user, name })) };
    byId("thread").hidden = false;
    byId("nothing-open").hidden = true;
    byId("chat").dataset.view = "thread";
    this.#back.opened();
    this.#thread = new Thread(this.#world, rows.get(conversation));
    if (kind === "group") this.#list.reread(conversation);
    this.#details.show(conversation);
    this.#list.show();
    this.#thread.focus();
  }

  #hear() {
    const { rows, people, typers } = this.#world;
    const { signal } = this.#listening;
    const listen = (target, type, handle) => target.addEventListener(type, handle, { signal });
    listen(this.#client, "status", ({ detail }) => detail.state === "online" && this.#online());
    listen(this.#client, "message", ({ detail }) => this.#onMessage(detail));
    listen(this.#client, "pending", () => this.#onPending());
    listen(this.#client, "receipt", ({ detail }) => this.#onReceipt(detail));
    listen(this.#client, "typing", ({ detail }) => typers.heard(detail));
    listen(this.#client, "presence", ({ detail }) => people.heard(detail));
    listen(
      this.#client,
      "assignment",
      ({ detail }) => rows.assignment(detail) || this.#list.reread(detail.conversation),
    );
    listen(this.#client, "reset", () => this.#onReset());
    for (const source of [rows, people, typers]) listen(source, "change", () => this.#refresh());
    listen(document, "visibilitychange", () => this.#thread?.readIfSeen());
    listen(byId("back"), "click", () => this.#escape());
    listen(byId("open-details"), "click", () => this.#details.toggle());
  }

  async #online() {
    this.#keep.belongTo(this.#client.user);
    showMe(this.#world);
    this.#world.people.reconnected();
    if (this.#thread) this.#thread.reconnected();
    else if (this.#keep.open) this.open(this.#keep.open);
    await this.#list.reload();
    await this.#world.people.readBlocks();
    const counted = await this.#client.unread().catch(() => undefined);
    if (counted?.conversations) this.#world.rows.counts(counted.conversations);
  }

  #onReset() {
    this.#thread?.close();
    this.#thread = undefined;
    this.#world.rows.clear();
    this.#showNothing();
    if (this.#client.status.state === "online") this.#online();
  }

  #onMessage(message) {
    const { rows, typers } = this.#world;
    const { conversation, from, seq } = message;
    typers.stopped(conversation, from);
    if (!rows.message(message)) this.#list.reread(conversation);
    if (conversation === this.#thread?.conversation) this.#thread.add(message);
    if (from !== this.#client.user) this.#deliveries.reached(conversation, seq);
  }

  #onReceipt(receipt) {
    const { rows } = this.#world;
    if (receipt.user === this.#client.user) this.#deliveries.told(receipt.conversation, receipt.delivered);
    if (!rows.receipt(receipt)) this.#list.reread(receipt.conversation);
    if (receipt.conversation === this.#thread?.conversation) this.#thread.receipt(receipt);
  }

  #onPending() {
    this.#keep.pending = this.#client.saved().pending;
    this.#thread?.showPending();
  }

  #refresh() {
    showMe(this.#world);
    this.#thread?.refresh();
    this.#details.refresh();
    this.#list.show();
  }

  /** Opens the next conversation of the list, or the one before. */
  #step(by) {
    const shown = this.#list.shown();
    const at = shown.findIndex(({ conversation }) => conversation === this.#thread?.conversation);
    const next = shown[at < 0 ? 0 : at + by];
    if (next) this.open(next);
  }

  /** Closes what is on top: the details, or the thread. */
  #escape() {
    if (!this.#details.hide() && this.#thread) this.#back.leave();
  }

  /** Back to the list. */
  #leave() {
    const { conversation } = this.#thread ?? {};
    this.#thread?.close();
    this.#thread = undefined;
    this.#keep.open = undefined;
    this.#showNothing();
    this.#list.show();
    byId("conversations").querySelector(`[data-key="${conversation}"] button`)?.focus();
  }

  #showNothing() {
    byId("thread").hidden = true;
    byId("nothing-open").hidden = false;
    byId("chat").dataset.view = "list";
    this.#details.hide();
  }
}
