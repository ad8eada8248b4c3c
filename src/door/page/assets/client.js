// The reference client of Switchboard's native protocol, version 1, in JSON. It needs nothing but a WebSocket; see
// docs/client.md for how to use it and docs/protocol.md for what it does.

import { Outbox } from "./outbox.js";
import { Places } from "./places.js";
import { Requests } from "./requests.js";

export const SUBPROTOCOL = "switchboard.v1.json";
export const TEXT_BYTES_MAX = 16 * 1024;

/** How long a connection may take to say `welcome`, in milliseconds. */
const WELCOME_WAIT = 10_000;
/** How often a connection is asked for `as_of` and a sign of life. */
const PING_EVERY = 15_000;
/** How long it may owe that sign. */
const PONG_WAIT = 10_000;
/** How long it must have lived before a new attempt starts with a short delay again. */
const STEADY_AFTER = 5_000;
/** The first delay before a new attempt, and the longest. */
const DELAY_MIN = 500;
const DELAY_MAX = 30_000;
/** How long before its token expires a connection gets a new one. */
const REFRESH_BEFORE = 60_000;
/** Cursors in one frame. The bound is 100, and 8 KiB for `hello` with its token. */
const CURSORS_MAX = 50;

/** Close codes after which coming back would end the same way. */
const FINAL = new Set([1002, 1003, 1007, 1008, 1009, 4403]);
/** Close codes after which another node, or this one in a moment, is ready. */
const READY_ELSEWHERE = new Set([1001, 1012]);
const TOKEN_REFUSED = 4401;
/** What browsers say of a connection that was lost without a close code. */
const LOST = 1006;

const surroundings = {
  WebSocket: globalThis.WebSocket,
  setTimeout: (run, wait) => globalThis.setTimeout(run, wait),
  clearTimeout: (timer) => globalThis.clearTimeout(timer),
  now: () => Date.now(),
  random: () => Math.random(),
};

export class Client extends EventTarget {
  #url;
  #getToken;
  #env;
  #places;
  #outbox;
  #requests = new Requests();
  #asOf;
  #user;
  #status = { state: "stopped" };
  #failures = 0;
  #token;
  #refusedToken;
  // Of one connection:
  #attempt;
  #socket;
  #timers = {};
  #isOnline = false;
  #reconnectAfter = 0;

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
    this.#url = url;
    this.#getToken = token;
    this.#env = { ...surroundings, ...env };
    this.#places = new Places(saved.cursors);
    this.#outbox = new Outbox(saved.pending);
    this.#asOf = saved.as_of;
    this.#user = saved.user;
  }

  /** Connects, and stays connected until `stop`. */
  start() {
    if (this.#status.state === "stopped") this.#connect();
  }

  /** Disconnects for good. What was not sent stays in `saved()`. */
  stop() {
    this.#giveUp({});
  }

  /** `{ state: "connecting" | "online" | "waiting" | "stopped", code?, reason?, retryInMs? }` */
  get status() {
    return this.#status;
  }

  /** Who the server last said we are. */
  get user() {
    return this.#user;
  }

  /** What another client needs to go on from here. It leaves it alone if its token turns out to be somebody else's. */
  saved() {
    return { user: this.#user, as_of: this.#asOf, cursors: this.#places.cursors(), pending: this.#outbox.entries() };
  }

  /** Messages that were not shown yet: `{ key, conversation, to?, text, state, reason? }`, in order. */
  pending() {
    return this.#outbox.entries().filter((entry) => !entry.isShown);
  }

  /**
   * Sends a message, now or as soon as there is a connection. Answers its key.
   * @param {{ conversation: string, to?: string, text: string }} message with `to` for a direct conversation that may
   *   not exist yet; `conversation` then is `await directConversation(user, to)`
   */
  send({ conversation, to, text }) {
    checkMessage(conversation, to, text);
    const key = newKey();
    this.#outbox.add({ key, conversation, to, text });
    this.#pendingChanged();
    return key;
  }

  /** Sends a failed message again. */
  retry(key) {
    this.#outbox.retry(key);
    this.#pendingChanged();
  }

  /** Gives a failed message up. */
  discard(key) {
    if (this.#outbox.find(key)?.state === "failed") this.#outbox.remove(key);
    this.#pendingChanged();
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

  // A connection begins

  async #connect() {
    const attempt = (this.#attempt = Symbol("attempt"));
    this.#setStatus({ state: "connecting" });
    this.#after("welcome", WELCOME_WAIT, () => this.#ended(LOST, "no welcome in time"));
    const token = await settled(this.#getToken);
    if (attempt !== this.#attempt) return;
    if (token instanceof Error) return this.#ended(LOST, token.message);
    if (token === this.#refusedToken) return this.#giveUp({ code: TOKEN_REFUSED, reason: "the token was refused" });
    this.#token = token;
    this.#open();
  }

  #open() {
    const socket = (this.#socket = new this.#env.WebSocket(this.#url, [SUBPROTOCOL]));
    const ifCurrent = (handle) => (event) => socket === this.#socket && handle(event);
    socket.onopen = ifCurrent(() => this.#hello());
    socket.onmessage = ifCurrent(({ data }) => this.#receive(JSON.parse(data)));
    socket.onclose = ifCurrent(({ code, reason }) => this.#ended(code, reason));
  }

  #hello() {
    const resume = this.#asOf && { as_of: this.#asOf, cursors: this.#cursorParts()[0] ?? {} };
    this.#write({ type: "hello", token: this.#token, resume });
  }

  /** The cursors in parts that fit into a frame, those that moved last first. */
  #cursorParts() {
    const cursors = Object.entries(this.#places.cursors()).reverse();
    const count = Math.ceil(cursors.length / CURSORS_MAX);
    return Array.from({ length: count }, (_, part) =>
      Object.fromEntries(cursors.slice(part * CURSORS_MAX, (part + 1) * CURSORS_MAX)),
    );
  }

  #welcomed({ user, as_of, expires }) {
    if (this.#user !== undefined && this.#user !== user) this.#forget();
    const rest = this.#asOf ? this.#cursorParts().slice(1) : [];
    this.#user = user;
    this.#asOf = as_of;
    this.#refusedToken = undefined;
    this.#isOnline = true;
    this.#cancel("welcome");
    this.#after("steady", STEADY_AFTER, () => (this.#failures = 0));
    this.#pingLater();
    this.#refreshBefore(expires);
    this.#setStatus({ state: "online" });
    for (const cursors of rest) this.#ask({ type: "resume", cursors }).catch(ignored);
    this.#flush();
    this.#askNext();
  }

  /** What is here was another user's. */
  #forget() {
    this.#places = new Places();
    this.#outbox = new Outbox();
    this.#say("pending");
    this.#say("reset", {});
  }

  // A connection ends

  #ended(code, reason) {
    if (code === TOKEN_REFUSED) this.#refusedToken = this.#token;
    if (FINAL.has(code)) return this.#giveUp({ code, reason });
    const soon = this.#reconnectAfter + this.#env.random() * DELAY_MIN;
    const wait = READY_ELSEWHERE.has(code) ? soon : this.#growingDelay();
    this.#drop();
    this.#setStatus({ state: "waiting", code, reason, retryInMs: Math.round(wait) });
    this.#after("retry", wait, () => this.#connect());
  }

  #giveUp(why) {
    this.#drop();
    this.#requests.stop();
    this.#setStatus({ state: "stopped", ...why });
  }

  #growingDelay() {
    const longest = Math.min(DELAY_MAX, DELAY_MIN * 2 ** this.#failures);
    this.#failures += 1;
    return longest * (0.5 + this.#env.random() / 2);
  }

  /** Forgets the connection and everything that hangs on it. */
  #drop() {
    const socket = this.#socket;
    Object.keys(this.#timers).forEach((name) => this.#cancel(name));
    this.#attempt = this.#socket = undefined;
    this.#isOnline = false;
    this.#reconnectAfter = 0;
    this.#outbox.disconnected();
    this.#requests.disconnected();
    socket?.close();
  }

  // A connection lives

  #pingLater() {
    this.#after("ping", PING_EVERY, () => {
      this.#write({ type: "ping" });
      this.#after("pong", PONG_WAIT, () => this.#ended(LOST, "no sign of life"));
      this.#pingLater();
    });
  }

  #refreshBefore(expires) {
    const wait = expires - this.#env.now() - REFRESH_BEFORE;
    if (wait <= 0 || wait >= 2 ** 31) return this.#cancel("refresh");
    this.#after("refresh", wait, async () => {
      const attempt = this.#attempt;
      const token = await settled(this.#getToken);
      if (attempt !== this.#attempt || token instanceof Error || token === this.#token) return;
      this.#token = token;
      this.#ask({ type: "refresh", token }).catch(ignored);
    });
  }

  #receive(frame) {
    // Whatever comes is a sign of life.
    this.#cancel("pong");
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
      case "receipt":
        this.#say("receipt", frame);
        return this.#answered(frame);
      case "refreshed":
        this.#refreshBefore(frame.expires);
        return this.#answered(frame);
      case "history":
      case "conversations":
      case "resumed":
        return this.#answered(frame);
      case "error":
        return this.#refused(frame);
      case "reconnect":
        // The server finishes what it has, and closes. What is sent from here on goes to the next connection.
        this.#isOnline = false;
        this.#reconnectAfter = frame.after_ms;
        return undefined;
      default:
        // A later server may say more; what it says can be left out.
        return undefined;
    }
  }

  #arrived({ type, ...message }) {
    // Perhaps one of ours, whose `sent` was lost with an earlier connection, or is still to come.
    const isOurs = message.from === this.#user && this.#outbox.show(message.key);
    if (this.#places.arrived(message.conversation, message.seq) || isOurs) this.#say("message", message);
    if (isOurs) this.#pendingChanged();
  }

  #sent({ key, conversation, seq, id, at, shown }) {
    // Our own are known by their keys: whatever the cursor says, this one was not shown before.
    const isOurs = this.#outbox.show(key);
    const entry = this.#outbox.remove(key);
    this.#places.sent(conversation, seq, shown);
    if (isOurs) this.#say("message", { conversation, seq, id, from: this.#user, key, at, text: entry.text });
    this.#pendingChanged();
  }

  #refused(error) {
    if (error.key !== undefined) {
      this.#outbox.refused(error.key, error, this.#env.now());
      this.#pendingChanged();
    } else if (error.code === "reset") {
      // What is known comes from another history.
      this.#places.forget(error.conversation);
      this.#say("reset", { conversation: error.conversation });
    } else if (this.#requests.refused(error)) {
      this.#after("ask", error.retry_after_ms ?? 0, () => this.#askNext());
    } else if (error.conversation !== undefined) {
      // A cursor of a conversation that is not ours.
      this.#places.forget(error.conversation);
    }
  }

  #pendingChanged() {
    this.#say("pending");
    this.#flush();
  }

  /** Sends what may be sent now, and wakes up when more may be. */
  #flush() {
    if (!this.#isOnline) return;
    for (const { key, conversation, to, text } of this.#outbox.take(this.#env.now())) {
      this.#write(to === undefined ? { type: "send", conversation, key, text } : { type: "send", to, key, text });
    }
    const wake = this.#outbox.wakeAt();
    if (wake === undefined) this.#cancel("flush");
    else this.#after("flush", Math.max(0, wake - this.#env.now()), () => this.#flush());
  }

  #ask(frame) {
    const answer = this.#requests.add(frame);
    this.#askNext();
    return answer;
  }

  #askNext() {
    const frame = this.#isOnline ? this.#requests.take() : undefined;
    if (frame) this.#write(frame);
  }

  #answered(frame) {
    this.#requests.answered(frame, this.#user);
    this.#askNext();
  }

  #write(frame) {
    this.#socket?.send(JSON.stringify(frame));
  }

  #after(name, wait, run) {
    this.#cancel(name);
    this.#timers[name] = this.#env.setTimeout(run, wait);
  }

  #cancel(name) {
    this.#env.clearTimeout(this.#timers[name]);
    delete this.#timers[name];
  }

  #setStatus(status) {
    this.#status = status;
    this.#say("status", status);
  }

  #say(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** The id of the direct conversation of two people, whichever of them asks. Needs a secure context. */
export async function directConversation(one, other) {
  const [low, high] = [checkUserId(one), checkUserId(other)].sort();
  const named = new TextEncoder().encode(`direct\0${low}\0${high}`);
  const digest = await crypto.subtle.digest("SHA-256", named);
  return hex(new Uint8Array(digest, 0, 16));
}

/** The text, if it is a user id. */
export function checkUserId(text) {
  if (!/^[A-Za-z0-9_.@|:+-]{1,64}$/.test(text)) {
    throw new TypeError("a user id is 1 to 64 of the characters A-Z a-z 0-9 _ . @ | : + -");
  }
  return text;
}

/** What the server could not even answer must not be sent: see "Bounds" in docs/protocol.md. */
function checkMessage(conversation, to, text) {
  if (!/^[0-9a-f]{32}$/.test(conversation)) throw new TypeError("a conversation id is 32 hexadecimal digits");
  if (to !== undefined) checkUserId(to);
  if (text === "") throw new RangeError("a message says something");
  if (new TextEncoder().encode(text).length > TEXT_BYTES_MAX) throw new RangeError("a message is at most 16 KiB");
}

/** What the function gives or throws, as a value. */
async function settled(give) {
  try {
    return await give();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function newKey() {
  return hex(crypto.getRandomValues(new Uint8Array(16)));
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** For requests whose failure the next connection makes good. */
function ignored() {}
