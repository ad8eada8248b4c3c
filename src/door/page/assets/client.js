// The reference client of Switchboard's native protocol, version 1, in JSON. It needs nothing but a WebSocket; see
// docs/client.md for how to use it and docs/protocol.md for what it does.

import { Connection, SUBPROTOCOL } from "./connection.js";
import { TEAM, checkConversationId, checkUserId, groupConversation, newKey } from "./ids.js";
import { Outbox, frameOf } from "./outbox.js";
import { Places } from "./places.js";
import { Requests } from "./requests.js";

export { SUBPROTOCOL };
export { checkUserId, directConversation, groupConversation, supportConversation } from "./ids.js";
export const TEXT_BYTES_MAX = 16 * 1024;

/** Cursors in one frame. The bound is 100, and 8 KiB for `hello` with its token. */
const CURSORS_MAX = 50;

/** Frames that are told as they are, to whoever listens, whether or not they also answer something. */
const TOLD = new Set(["receipt", "typing", "presence", "assignment"]);

export class Client extends EventTarget {
  #connection;
  #places;
  #outbox;
  #requests = new Requests();
  #changes = new Map();
  #asOf;
  #welcome = {};
  #user;

  /**
   * @param {object} options
   * @param {string} options.url where the door is: `wss://…/ws`
   * @param {() => string | Promise<string>} options.token gives a token: asked before each connection, and again before
   *   the token expires
   * @param {object} [options.saved] what `saved()` of an earlier client of the same user gave
   * @param {object} [options.env] replaces WebSocket, timers, clock and chance
   */
  constructor({ url, token, saved = {}, env = {} }) {
    super();
    this.#places = new Places(saved.cursors);
    this.#outbox = new Outbox(saved.pending);
    this.#asOf = saved.as_of;
    this.#user = saved.user;
    this.#connection = new Connection(
      { url, token, env },
      {
        status: (status) => this.#statusChanged(status),
        frame: (frame) => this.#receive(frame),
        ended: () => this.#ended(),
        resume: () => this.#asOf && { as_of: this.#asOf, cursors: this.#cursorParts()[0] ?? {} },
        refresh: (token) => this.#ask({ type: "refresh", token }).catch(ignored),
      },
    );
  }

  /** Connects, and stays connected until `stop`. */
  start() {
    this.#connection.start();
  }

  /** Disconnects for good. What was not sent stays in `saved()`. */
  stop() {
    this.#connection.stop();
  }

  /** Connects at once, if it waits for its next attempt. */
  reconnect() {
    this.#connection.hurry();
  }

  /** `{ state: "connecting" | "online" | "leaving" | "waiting" | "stopped", code?, reason?, retryInMs? }` */
  get status() {
    return this.#connection.status;
  }

  /** Who the server last said we are. */
  get user() {
    return this.#user;
  }

  /** `user`, `admin` or `service`, as the server last said. */
  get role() {
    return this.#welcome.role;
  }

  /** What the server's policy is: `open` or `support`. */
  get policy() {
    return this.#welcome.policy ?? "open";
  }

  /** Whether the server of this connection does not know frames of this type. */
  lacks(type) {
    return this.#requests.lacks(type);
  }

  /** What another client needs to go on from here. It leaves it alone if its token turns out to be somebody else's. */
  saved() {
    return { user: this.#user, as_of: this.#asOf, cursors: this.#places.cursors(), pending: this.#outbox.entries() };
  }

  /** Messages that were not shown yet: `{ key, conversation, to?, text, state, reason?, conflict? }`, in order. */
  pending() {
    return this.#outbox.entries().filter((entry) => !entry.isShown && !entry.group);
  }

  /**
   * Sends a message, now or as soon as there is a connection. Answers its key.
   * @param {{ conversation: string, to?: string, for_team?: boolean, text: string, head?: number }} message with `to`
   *   for a conversation that may not exist yet; `conversation` then is its id, which follows from its members. With
   *   `head`, the last seq that its writer saw, it fails if somebody was faster
   */
  send({ conversation, to, for_team, text, head }) {
    checkMessage(conversation, to, text);
    const key = newKey();
    this.#outbox.add({ key, conversation, to, for_team, text, head });
    this.#pendingChanged();
    return key;
  }

  /** Sends a failed message again: after a conflict, behind what came meanwhile. */
  retry(key) {
    this.#outbox.retry(key, newKey());
    this.#pendingChanged();
  }

  /** Gives a failed message up. */
  discard(key) {
    if (this.#outbox.find(key)?.state === "failed") this.#outbox.remove(key);
    this.#pendingChanged();
  }

  /** Tells the others that the user writes, or has stopped: it wears off, and nothing is repeated. Answers whether it
   *  was said. */
  typing({ conversation, to, for_team, active }) {
    // What refuses it could not be told from what refuses a request about the same conversation.
    if (!this.#connection.isOnline || this.#requests.isAbout(conversation)) return false;
    this.#connection.write({ type: "typing", ...(to === undefined ? { conversation } : { to, for_team }), active });
    return true;
  }

  /** Says that everything up to here was read. */
  read(conversation, seq) {
    return this.#ask({ type: "read", conversation, seq });
  }

  /** Says that everything up to here reached this device. */
  delivered(conversation, seq) {
    return this.#ask({ type: "delivered", conversation, seq });
  }

  /** A page of messages: the newest, or those `before` or `after` a place. Answers `{ messages, more }`. */
  async history(conversation, { before, after, limit } = {}) {
    const page = await this.#ask({ type: "history", conversation, before, after, limit });
    this.#places.page(conversation, page.messages, before === undefined && after === undefined);
    return page;
  }

  /** A page of the conversation list. Answers `{ conversations, next? }`. */
  conversations({ behind, limit } = {}) {
    return this.#ask({ type: "conversations", behind, limit });
  }

  /** One conversation with all its members: a row as in `conversations`. */
  conversation(conversation) {
    return this.#ask({ type: "conversation", conversation });
  }

  /** How far everybody in a conversation has come. Answers `{ cursors: [{ user, read, delivered }] }`. */
  receipts(conversation) {
    return this.#ask({ type: "receipts", conversation });
  }

  /** How many messages are unread. Answers `{ total, more, conversations }`. */
  unread() {
    return this.#ask({ type: "unread" });
  }

  /** Watches these people, and nobody else, on this connection. Answers `{ users: [{ user, online, last_seen? }] }`;
   *  what changes later comes as `presence` events. */
  watch(users) {
    return this.#ask({ type: "watch", users });
  }

  /** Shows the user as offline to others, or no longer. */
  appear(offline) {
    return this.#ask({ type: "appear", offline });
  }

  /**
   * Makes a group, or changes one: `{ action: "create", name, members, history }`, or with its `conversation`
   * `{ action: "name", name }`, `{ action: "add" | "remove", user }`, `{ action: "leave" }`,
   * `{ action: "role", user, role }`. It is a message of the group, in its turn. Answers a promise of the group's id.
   */
  async group({ conversation, ...change }) {
    const key = newKey();
    const id = conversation ?? (await groupConversation(this.#user, key));
    return new Promise((resolve, reject) => {
      this.#changes.set(key, { resolve, reject });
      this.#outbox.add({ key, conversation: checkConversationId(id), group: change });
      this.#pendingChanged();
    });
  }

  /** For agents: `action` is `claim`, `pass` (to somebody), `free`, `close` or `reopen`. */
  claim({ conversation, action, to, from }) {
    return this.#ask({ type: "claim", conversation, action, to, from });
  }

  /** For agents: a page of the team's conversations. Answers `{ conversations, next? }`. */
  inbox({ filter, behind, limit } = {}) {
    return this.#ask({ type: "inbox", filter, behind, limit });
  }

  /** Keeps somebody from writing to the user, or no longer. */
  block(user, active) {
    return this.#ask({ type: "block", user, active });
  }

  /** Whom the user blocks. Answers `{ users }`. */
  blocks() {
    return this.#ask({ type: "blocks" });
  }

  /** For agents: shuts somebody out, or no longer. */
  ban(user, active, reason) {
    return this.#ask({ type: "ban", user, active, reason });
  }

  /** Finds a person by exact id or e-mail address. Answers `{ user, name }`. */
  find({ user, email }) {
    return this.#ask({ type: "find", user, email });
  }

  // A connection begins and ends

  #welcomed(frame) {
    const { user, as_of, expires } = frame;
    if (this.#user !== undefined && this.#user !== user) this.#forget();
    const rest = this.#asOf ? this.#cursorParts().slice(1) : [];
    this.#welcome = frame;
    this.#user = user;
    this.#asOf = as_of;
    this.#connection.welcomed(expires);
    for (const cursors of rest) this.#ask({ type: "resume", cursors }).catch(ignored);
    this.#flush();
    this.#askNext();
  }

  /** The cursors in parts that fit into a frame, those that moved last first. */
  #cursorParts() {
    const cursors = Object.entries(this.#places.cursors()).reverse();
    const count = Math.ceil(cursors.length / CURSORS_MAX);
    return Array.from({ length: count }, (_, part) =>
      Object.fromEntries(cursors.slice(part * CURSORS_MAX, (part + 1) * CURSORS_MAX)),
    );
  }

  /** What is here was another user's. */
  #forget() {
    this.#places = new Places();
    this.#outbox = new Outbox();
    this.#say("pending");
    this.#say("reset", {});
  }

  #ended() {
    this.#outbox.disconnected();
    this.#requests.disconnected();
  }

  #statusChanged(status) {
    if (status.state === "stopped") {
      this.#requests.stop();
      for (const { reject } of this.#changes.values()) reject(new Error("the client was stopped"));
      this.#changes.clear();
    }
    this.#say("status", status);
  }

  // Frames that come

  #receive(frame) {
    if (TOLD.has(frame.type)) this.#say(frame.type, frame);
    switch (frame.type) {
      case "welcome":
        return this.#welcomed(frame);
      case "pong":
        this.#asOf = frame.as_of;
        return this.#say("saved");
      case "message":
        return this.#arrived(frame);
      case "sent":
        return this.#sent(frame);
      case "error":
        return this.#refused(frame);
      case "reconnect":
        return this.#connection.leaving(frame.after_ms);
      case "refreshed":
        this.#connection.refreshBefore(frame.expires);
        return this.#answered(frame);
      default:
        // A later server may say more; what it says can be left out.
        return this.#answered(frame);
    }
  }

  #arrived({ type, ...message }) {
    // Perhaps one of ours, whose `sent` was lost with an earlier connection, or is still to come.
    const isOurs = message.from === this.#user && this.#outbox.show(message.key);
    const { kind, user } = message.event ?? {};
    if (kind === "added" && user === this.#user) this.#places.jump(message.conversation, message.seq);
    if (this.#places.arrived(message.conversation, message.seq) || isOurs) this.#say("message", message);
    if (isOurs) this.#pendingChanged();
  }

  #sent({ key, conversation, seq, id, at, shown }) {
    // Our own are known by their keys: whatever the cursor says, this one was not shown before.
    const isOurs = this.#outbox.show(key);
    const entry = this.#outbox.stored(key, seq);
    this.#places.sent(conversation, seq, shown);
    if (isOurs) this.#say("message", { conversation, seq, id, from: this.#user, key, at, ...saidBy(entry) });
    this.#settle(key, ({ resolve }) => resolve(conversation));
    this.#pendingChanged();
  }

  #refused(error) {
    if (error.key !== undefined) {
      const entry = this.#outbox.refused(error.key, error, this.#connection.now());
      if (entry?.group && error.retry_after_ms === undefined) {
        this.#outbox.remove(error.key);
        this.#settle(error.key, ({ reject }) => reject(asError(error)));
      }
      this.#pendingChanged();
    } else if (error.code === "reset") {
      // What is known comes from another history.
      this.#places.forget(error.conversation);
      this.#say("reset", { conversation: error.conversation });
    } else if (this.#requests.refused(error, asError)) {
      this.#connection.after("ask", error.retry_after_ms ?? 0, () => this.#askNext());
    } else if (error.code === "forbidden" && error.conversation !== undefined) {
      // A cursor of a conversation that is not ours.
      this.#places.forget(error.conversation);
    }
  }

  #settle(key, how) {
    const change = this.#changes.get(key);
    this.#changes.delete(key);
    if (change) how(change);
  }

  // Frames that go

  #pendingChanged() {
    this.#say("pending");
    this.#flush();
  }

  /** Sends what may be sent now, and wakes up when more may be. */
  #flush() {
    if (!this.#connection.isOnline) return;
    const now = this.#connection.now();
    for (const entry of this.#outbox.take(now)) this.#connection.write(frameOf(entry));
    const wake = this.#outbox.wakeAt();
    if (wake === undefined) this.#connection.cancel("flush");
    else this.#connection.after("flush", Math.max(0, wake - now), () => this.#flush());
  }

  #ask(frame) {
    const answer = this.#requests.add(frame);
    this.#askNext();
    return answer;
  }

  #askNext() {
    const frame = this.#connection.isOnline ? this.#requests.take() : undefined;
    if (frame) this.#connection.write(frame);
  }

  #answered(frame) {
    // An agent reads for the team.
    this.#requests.answered(frame, this.role === "admin" ? [this.#user, TEAM] : [this.#user]);
    this.#askNext();
  }

  #say(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** What the server could not even answer must not be sent: see "Bounds" in docs/protocol.md. */
function checkMessage(conversation, to, text) {
  checkConversationId(conversation);
  if (to !== undefined) checkUserId(to);
  if (text === "") throw new RangeError("a message says something");
  if (new TextEncoder().encode(text).length > TEXT_BYTES_MAX) throw new RangeError("a message is at most 16 KiB");
}

/** What a message of ours says: its text, or what it did to its group. */
function saidBy({ text, group }) {
  if (!group) return { text };
  const kinds = { create: "created", name: "named", add: "added", remove: "removed", leave: "left", role: "role" };
  const { name, user, role } = group;
  return { text: "", event: { kind: kinds[group.action], name, user, role } };
}

/** A refusal, with everything that came with it. */
function asError({ type, message, ...more }) {
  return Object.assign(new Error(message), more);
}

/** For requests whose failure the next connection makes good. */
function ignored() {}
