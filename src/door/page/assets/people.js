// Who people are and whether they are here.

import { SYSTEM, TEAM } from "./ids.js";

/** How long changes gather before the server is told whom we watch, in milliseconds. */
const GATHER = 300;
/** How many the server lets one session watch. */
const WATCHED_MAX = 200;

export class People extends EventTarget {
  #client;
  #names = new Map();
  #known = new Map();
  #watched = "";
  #wanted = [];
  #timer;
  #blocked = new Set();

  constructor(client) {
    super();
    this.#client = client;
  }

  /** Takes names, and who is here, from rows. */
  learn(rows) {
    const before = this.#names.size;
    for (const { user, name, online, last_seen } of rows.flatMap((row) => row.members)) {
      if (name && name !== user) this.#names.set(user, name);
      // What is watched is told as it changes: newer than any list.
      if (online !== undefined && !this.#watched.split(" ").includes(user))
        this.#known.set(user, { online, last_seen });
    }
    if (this.#names.size !== before) this.#changed();
  }

  named(user, name) {
    if (name && name !== user) this.#names.set(user, name);
  }

  /** What to call somebody. */
  nameOf(user) {
    if (user === TEAM) return "Support team";
    if (user === SYSTEM) return "System";
    return this.#names.get(user) ?? user;
  }

  /** The same, with "You" for oneself. */
  called(user) {
    return user === this.#client.user ? "You" : this.nameOf(user);
  }

  /** `{ online, last_seen? }`, or undefined where it is not known. */
  presence(user) {
    return this.#known.get(user);
  }

  isOnline(user) {
    return this.#known.get(user)?.online === true;
  }

  /** Everybody whose id has been seen, for suggestions. */
  known() {
    return [...new Set([...this.#names.keys(), ...this.#known.keys()])].filter((user) => user !== this.#client.user);
  }

  /** A `presence` frame came. */
  heard({ users }) {
    for (const { user, online, last_seen } of users) this.#known.set(user, { online, last_seen });
    this.#changed();
  }

  /** Watches these from now on, the most important first. */
  watch(users) {
    // Oneself tells whether one appears offline.
    this.#wanted = [...new Set([this.#client.user, ...users])].filter(Boolean).slice(0, WATCHED_MAX);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), GATHER);
  }

  /** A new connection watches nobody yet. */
  reconnected() {
    this.#watched = "";
    this.watch(this.#wanted);
  }

  #tell() {
    const users = this.#wanted;
    const watched = users.join(" ");
    if (watched === this.#watched || this.#client.status.state !== "online" || this.#client.lacks("watch")) return;
    this.#watched = watched;
    this.#client.watch(users).catch(({ code }) => {
      if (this.#watched === watched) this.#watched = "";
      if (code === "bad_frame") this.#changed();
    });
  }

  // Blocks

  /** Asks whom the user blocks. */
  async readBlocks() {
    const answer = await this.#client.blocks().catch(() => undefined);
    if (!answer) return;
    this.#blocked = new Set(answer.users);
    this.#changed();
  }

  isBlocked(user) {
    return this.#blocked.has(user);
  }

  async block(user, active) {
    await this.#client.block(user, active);
    if (active) this.#blocked.add(user);
    else this.#blocked.delete(user);
    this.#changed();
  }

  close() {
    clearTimeout(this.#timer);
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
