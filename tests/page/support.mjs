// A world for the client: a clock that only moves when told, and sockets that a test speaks through.

import { webcrypto } from "node:crypto";

// What browsers have, and older Node releases lack.
globalThis.crypto ??= webcrypto;
globalThis.CustomEvent ??= class extends Event {
  constructor(type, { detail } = {}) {
    super(type);
    this.detail = detail;
  }
};

export const { Client, directConversation, groupConversation, supportConversation } = await import("../../src/door/page/assets/client.js");
export const { Outbox } = await import("../../src/door/page/assets/outbox.js");
export const { Places } = await import("../../src/door/page/assets/places.js");

/** Random numbers from a seed (mulberry32). */
export function chance(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class World {
  sockets = [];
  #now = 0;
  #timers = new Map();
  #nextTimer = 1;

  constructor(random = () => 0.5) {
    const world = this;
    this.env = {
      now: () => this.#now,
      random,
      setTimeout: (run, wait) => {
        this.#timers.set(this.#nextTimer, { at: this.#now + wait, run });
        return this.#nextTimer++;
      },
      clearTimeout: (timer) => this.#timers.delete(timer),
      WebSocket: class FakeSocket {
        sent = [];
        constructor(url, protocols) {
          Object.assign(this, { url, protocols });
          world.sockets.push(this);
        }
        send(text) {
          this.sent.push(JSON.parse(text));
          this.onSend?.(this.sent.at(-1));
        }
        close() {
          this.isClosed = true;
        }
        // What the server does:
        accept() {
          this.onopen();
        }
        say(frame) {
          this.onmessage({ data: JSON.stringify(frame) });
        }
        end(code, reason = "") {
          this.onclose({ code, reason });
        }
      },
    };
  }

  get now() {
    return this.#now;
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** Lets promises settle. */
  async settle() {
    for (let i = 0; i < 10; i += 1) await Promise.resolve();
  }

  /** Moves the clock, running what falls due in its order. */
  async pass(wait) {
    const until = this.#now + wait;
    for (;;) {
      await this.settle();
      const due = [...this.#timers].filter(([, { at }]) => at <= until).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      const [timer, { at, run }] = due;
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, at);
      run();
    }
    this.#now = until;
    await this.settle();
  }

  /** A client that has been welcomed on a fresh socket. */
  async online(options = {}, welcome = {}) {
    const client = this.client(options);
    client.start();
    await this.welcome(welcome);
    return client;
  }

  client(options = {}) {
    const client = new Client({ url: "ws://door/ws", token: () => "token", env: this.env, ...options });
    client.heard = [];
    for (const type of ["message", "status", "reset", "receipt"]) {
      client.addEventListener(type, ({ detail }) => client.heard.push([type, detail]));
    }
    client.messages = () => client.heard.filter(([type]) => type === "message").map(([, message]) => message);
    return client;
  }

  async welcome({ user = "ann", role = "user", as_of = "as-of-1", expires = 1e12 } = {}) {
    await this.settle();
    this.socket.accept();
    this.socket.say({ type: "welcome", user, role, as_of, expires });
    await this.settle();
  }
}

export const TALK = "0".repeat(31) + "1";
export const OTHER = "0".repeat(31) + "2";

export function message(seq, from = "bob", more = {}) {
  return { type: "message", conversation: TALK, seq, id: "0".repeat(24), from, key: `k${seq}`, at: 1, text: `${seq}`, ...more };
}

export function sent(key, seq, shown = true) {
  return { type: "sent", key, conversation: TALK, seq, id: "0".repeat(24), at: 1, shown };
}
