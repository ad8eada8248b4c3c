// The list of conversations: one's own, and for agents the team's inbox; as far as it is loaded and not filtered out.

import { titleOf } from "./heading.js";
import { makeRow, updateRow } from "./row.js";
import { activity } from "./rows.js";
import { arrange, byId, say } from "./view.js";

/** How near to the lower end more is loaded, in pixels. */
const NEAR = 300;
/** How long changes gather before the list is read again, in milliseconds. */
const GATHER = 200;

const EMPTY = {
  chats: ["No conversations yet", "Start one: you need the id or e-mail address of a person."],
  open: ["Nobody is waiting", "Talks that nobody answers yet appear here."],
  mine: ["You hold no talk", "Claim one under “Open” to answer it."],
  all: ["Nobody has written to the team", "Talks with the team appear here."],
  closed: ["Nothing is closed", "Talks that were closed appear here until somebody writes again."],
};

export class List {
  #world;
  #open;
  #sources = new Map();
  #query = "";
  #isDue = false;
  #rereading;
  #listening = new AbortController();

  /** @param {{ client, keep, rows, people, typers, deliveries }} world @param {(row: object) => void} open */
  constructor(world, open) {
    this.#world = world;
    this.#open = open;
    const { signal } = this.#listening;
    for (const source of [world.rows, world.people, world.typers]) {
      source.addEventListener("change", () => this.show(), { signal });
    }
    byId("search").addEventListener("input", () => this.#search(byId("search").value), { signal });
    byId("rows").addEventListener("scroll", () => this.#loadIfNear(), { signal });
    byId("tabs").addEventListener("click", ({ target }) => this.#choose(target.closest("button")?.dataset.view), {
      signal,
    });
    byId("filters").addEventListener("click", ({ target }) => this.#choose(target.closest("button")?.dataset.view), {
      signal,
    });
    byId("search").value = "";
    this.show();
  }

  close() {
    this.#listening.abort();
    clearTimeout(this.#rereading);
    byId("conversations").replaceChildren();
  }

  /** The rows from above to below, as they are shown. */
  shown() {
    const { rows } = this.#world;
    const { horizon = -Infinity } = this.#source();
    const query = this.#query;
    return rows
      .all()
      .filter((row) => this.#belongs(row) && activity(row) >= horizon && (query === "" || this.#matches(row, query)))
      .sort((one, other) => activity(other) - activity(one) || (one.conversation < other.conversation ? -1 : 1));
  }

  /** Reads the list anew, from its first page. */
  async reload() {
    const { client } = this.#world;
    this.#sources.clear();
    await this.#load("chats");
    if (client.role === "admin") await this.#load(this.#view() === "chats" ? "open" : this.#view());
  }

  /** Reads one row again, or, where that cannot be, the list: what changed cannot be told from what came. */
  async reread(conversation) {
    const { client, rows } = this.#world;
    if (conversation && !client.lacks("conversation")) {
      const row = await client.conversation(conversation).catch(({ code }) => code);
      if (typeof row === "object") return this.#took([plain(row)]);
      if (row !== "bad_frame") return undefined;
    }
    clearTimeout(this.#rereading);
    this.#rereading = setTimeout(() => this.reload(), GATHER);
    return undefined;
  }

  /** Shows everything soon, once for many changes. */
  show() {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      if (!this.#listening.signal.aborted) this.#show();
    });
  }

  #view() {
    const { client, keep } = this.#world;
    return client.role === "admin" && !client.lacks("inbox") ? (keep.view ?? "chats") : "chats";
  }

  #source(view = this.#view()) {
    if (!this.#sources.has(view)) this.#sources.set(view, {});
    return this.#sources.get(view);
  }

  #choose(view) {
    if (!view) return;
    this.#world.keep.view = view;
    this.show();
    if (!this.#source().isLoaded) this.#load(view);
  }

  #search(query) {
    this.#query = query.trim().toLowerCase();
    this.show();
  }

  #belongs(row) {
    const { rows } = this.#world;
    const view = this.#view();
    const { state = "open", agent } = row.assignment ?? {};
    if (view === "chats") return !rows.isDesk(row) || this.#world.client.lacks("inbox");
    if (!rows.isDesk(row)) return false;
    if (view === "mine") return state === "claimed" && agent === rows.me.user;
    return view === "all" || state === view;
  }

  #matches(row, query) {
    const { rows, people } = this.#world;
    const words = [titleOf(row, rows, people), row.last?.text ?? "", ...row.members.map(({ user }) => user)];
    return words.some((word) => word.toLowerCase().includes(query));
  }

  async #load(view, behind) {
    const source = this.#source(view);
    if (source.isLoading) return;
    source.isLoading = true;
    const { client } = this.#world;
    const asked = view === "chats" ? client.conversations({ behind }) : client.inbox({ filter: view, behind });
    const page = await asked.catch(() => undefined);
    source.isLoading = false;
    if (this.#listening.signal.aborted) return;
    if (!page) return this.show();
    source.isLoaded = true;
    source.next = page.next;
    const last = page.conversations.at(-1);
    source.horizon = page.next === undefined || !last ? -Infinity : activity(last);
    this.#took(page.conversations);
    queueMicrotask(() => this.#loadIfNear());
  }

  #took(taken) {
    const { rows, people, deliveries } = this.#world;
    people.learn(taken);
    for (const { conversation, last_seq, unread } of taken) if (unread > 0) deliveries.reached(conversation, last_seq);
    for (const conversation of rows.put(taken)) this.reread(conversation);
    this.#watch();
  }

  /** Watches whom the list shows first, and the members of the open group. */
  #watch() {
    const { rows, people, keep } = this.#world;
    // Only with whom something was said may be watched: as soon as it is, the list is another one.
    const begun = rows.all().filter((row) => !row.isNew);
    const latest = begun.sort((one, other) => activity(other) - activity(one));
    const open = rows.get(keep.open?.conversation);
    const users = [
      ...(open && !open.isNew ? open.members : []).map(({ user }) => user),
      ...latest.map((row) => rows.peer(row)),
    ];
    people.watch(users);
  }

  #loadIfNear() {
    const { scrollHeight, scrollTop, clientHeight } = byId("rows");
    const view = this.#view();
    const { next, isLoading } = this.#source(view);
    if (next !== undefined && !isLoading && scrollHeight - scrollTop - clientHeight < NEAR) this.#load(view, next);
  }

  #show() {
    const { client, keep } = this.#world;
    const view = this.#view();
    const isInbox = view !== "chats";
    byId("tabs").hidden = client.role !== "admin" || client.lacks("inbox");
    byId("filters").hidden = !isInbox;
    for (const tab of byId("tabs").children)
      tab.setAttribute("aria-pressed", String((tab.dataset.view !== "chats") === isInbox));
    for (const tab of byId("filters").children) tab.setAttribute("aria-pressed", String(tab.dataset.view === view));
    const shown = this.shown();
    const context = { ...this.#world, open: keep.open?.conversation };
    arrange(byId("conversations"), shown, {
      keyOf: ({ conversation }) => conversation,
      make: (row) => makeRow(row, () => this.#open(context.rows.get(row.conversation) ?? row)),
      update: (made, row) => updateRow(made, row, context),
    });
    this.#showEmpty(shown.length === 0, view);
    this.#count();
  }

  #showEmpty(isEmpty, view) {
    const { isLoaded, isLoading } = this.#source(view);
    byId("empty").hidden = !isEmpty || !isLoaded;
    byId("list-loading").hidden = !isLoading && (isLoaded || !isEmpty);
    const [title, text] =
      this.#query === "" ? EMPTY[view] : ["Nothing found", "Only what is loaded is searched: scroll to load more."];
    say(byId("empty-title"), title);
    say(byId("empty-text"), text);
    byId("empty-new").hidden = view !== "chats" || this.#query !== "";
  }

  #count() {
    const { rows } = this.#world;
    const total = rows.unread();
    document.title = total > 0 ? `(${total}) Switchboard` : "Switchboard";
    const waiting = rows.all().filter((row) => rows.isDesk(row) && row.unread > 0).length;
    byId("inbox-count").hidden = waiting === 0;
    say(byId("inbox-count"), String(waiting));
  }
}

/** A row without what makes it a frame. */
function plain({ type, ...row }) {
  return row;
}
