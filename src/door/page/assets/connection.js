// One connection after the other: connecting, coming back, staying alive. What the frames mean is the client's affair.

export const SUBPROTOCOL = "switchboard.v1.json";

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

export class Connection {
  #url;
  #getToken;
  #env;
  #on;
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
   * @param {{ url: string, token: () => string | Promise<string>, env?: object }} options
   * @param {object} on what it tells its owner: `status(status)`, `frame(frame)` for each that comes, `ended()` when a
   *   connection is gone; and what it asks: `resume()` for what `hello` hands back, `refresh(token)` to say that frame
   */
  constructor({ url, token, env = {} }, on) {
    this.#url = url;
    this.#getToken = token;
    this.#env = { ...surroundings, ...env };
    this.#on = on;
  }

  get status() {
    return this.#status;
  }

  /** Whether it was welcomed, and is not being seen off. */
  get isOnline() {
    return this.#isOnline;
  }

  now() {
    return this.#env.now();
  }

  start() {
    if (this.#status.state === "stopped") this.#connect();
  }

  /** Does not wait any longer for the next attempt. */
  hurry() {
    if (this.#status.state === "waiting") this.#connect();
  }

  stop(why = {}) {
    this.#drop();
    this.#setStatus({ state: "stopped", ...why });
  }

  write(frame) {
    this.#socket?.send(JSON.stringify(frame));
  }

  /** Runs something on this connection a while later; of the same name there is one at a time. */
  after(name, wait, run) {
    this.cancel(name);
    this.#timers[name] = this.#env.setTimeout(run, wait);
  }

  cancel(name) {
    this.#env.clearTimeout(this.#timers[name]);
    delete this.#timers[name];
  }

  /** The server said `welcome`. */
  welcomed(expires) {
    this.#refusedToken = undefined;
    this.#isOnline = true;
    this.cancel("welcome");
    this.after("steady", STEADY_AFTER, () => (this.#failures = 0));
    this.#pingLater();
    this.refreshBefore(expires);
    this.#setStatus({ state: "online" });
  }

  /** The server said `reconnect`: it finishes what it has, and closes. What is written goes to the next connection. */
  leaving(afterMs) {
    this.#isOnline = false;
    this.#reconnectAfter = afterMs;
    this.#setStatus({ state: "leaving" });
  }

  /** Gets a new token before the old one expires. */
  refreshBefore(expires) {
    const wait = expires - this.#env.now() - REFRESH_BEFORE;
    if (wait <= 0 || wait >= 2 ** 31) return this.cancel("refresh");
    this.after("refresh", wait, async () => {
      const attempt = this.#attempt;
      const token = await settled(this.#getToken);
      if (attempt !== this.#attempt || token instanceof Error || token === this.#token) return;
      this.#token = token;
      this.#on.refresh(token);
    });
  }

  async #connect() {
    this.cancel("retry");
    const attempt = (this.#attempt = Symbol("attempt"));
    this.#setStatus({ state: "connecting" });
    this.after("welcome", WELCOME_WAIT, () => this.#ended(LOST, "no welcome in time"));
    const token = await settled(this.#getToken);
    if (attempt !== this.#attempt) return;
    if (token instanceof Error) return this.#ended(LOST, token.message);
    if (token === this.#refusedToken) return this.stop({ code: TOKEN_REFUSED, reason: "the token was refused" });
    this.#token = token;
    this.#open();
  }

  #open() {
    const socket = (this.#socket = new this.#env.WebSocket(this.#url, [SUBPROTOCOL]));
    const ifCurrent = (handle) => (event) => socket === this.#socket && handle(event);
    socket.onopen = ifCurrent(() => this.write({ type: "hello", token: this.#token, resume: this.#on.resume() }));
    socket.onmessage = ifCurrent(({ data }) => this.#receive(JSON.parse(data)));
    socket.onclose = ifCurrent(({ code, reason }) => this.#ended(code, reason));
  }

  #receive(frame) {
    // Whatever comes is a sign of life.
    this.cancel("pong");
    this.#on.frame(frame);
  }

  #pingLater() {
    this.after("ping", PING_EVERY, () => {
      this.write({ type: "ping" });
      this.after("pong", PONG_WAIT, () => this.#ended(LOST, "no sign of life"));
      this.#pingLater();
    });
  }

  #ended(code, reason) {
    if (code === TOKEN_REFUSED) this.#refusedToken = this.#token;
    if (FINAL.has(code)) return this.stop({ code, reason });
    const soon = this.#reconnectAfter + this.#env.random() * DELAY_MIN;
    const wait = READY_ELSEWHERE.has(code) ? soon : this.#growingDelay();
    this.#drop();
    this.#setStatus({ state: "waiting", code, reason, retryInMs: Math.round(wait) });
    this.after("retry", wait, () => this.#connect());
  }

  #growingDelay() {
    const longest = Math.min(DELAY_MAX, DELAY_MIN * 2 ** this.#failures);
    this.#failures += 1;
    return longest * (0.5 + this.#env.random() / 2);
  }

  /** Forgets the connection and everything that hangs on it. */
  #drop() {
    const socket = this.#socket;
    Object.keys(this.#timers).forEach((name) => this.cancel(name));
    this.#attempt = this.#socket = undefined;
    this.#isOnline = false;
    this.#reconnectAfter = 0;
    this.#on.ended();
    socket?.close();
  }

  #setStatus(status) {
    this.#status = status;
    this.#on.status(status);
  }
}

/** What the function gives or throws, as a value. */
async function settled(give) {
  try {
    return await give();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
