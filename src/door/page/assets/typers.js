// Who writes where, as long as it holds; and what the others are told of our own writing.

/** How often the others are told that we still write, in milliseconds. */
const TELL_EVERY = 2_500;
/** How long after the last key we count as having stopped. */
const STOPS_AFTER = 5_000;

export class Typers extends EventTarget {
  #client;
  #writing = new Map();
  #told;

  constructor(client) {
    super();
    this.#client = client;
  }

  /** A `typing` frame came. */
  heard({ conversation, user, active, expires_ms }) {
    if (user === this.#client.user) return;
    const key = `${conversation} ${user}`;
    clearTimeout(this.#writing.get(key));
    if (active)
      this.#writing.set(
        key,
        setTimeout(() => this.stopped(conversation, user), expires_ms),
      );
    else this.#writing.delete(key);
    this.#changed(conversation);
  }

  /** Somebody does not write there any more: their message came. */
  stopped(conversation, user) {
    const key = `${conversation} ${user}`;
    if (!this.#writing.has(key)) return;
    clearTimeout(this.#writing.get(key));
    this.#writing.delete(key);
    this.#changed(conversation);
  }

  /** Who writes there. */
  in(conversation) {
    const keys = [...this.#writing.keys()].filter((key) => key.startsWith(`${conversation} `));
    return keys.map((key) => key.slice(conversation.length + 1));
  }

  /** We write there: `{ conversation, to?, for_team? }`. */
  write(where) {
    const now = Date.now();
    if (this.#told && this.#told.where.conversation !== where.conversation) this.stop();
    const isDue = !this.#told || now - this.#told.at >= TELL_EVERY;
    if (isDue && this.#client.typing({ ...where, active: true })) this.#told = { ...this.#told, where, at: now };
    if (!this.#told) return;
    clearTimeout(this.#told.timer);
    this.#told.timer = setTimeout(() => this.stop(), STOPS_AFTER);
  }

  /** We have stopped; a message that was just sent says so itself. */
  stop({ isSent = false } = {}) {
    if (!this.#told) return;
    clearTimeout(this.#told.timer);
    if (!isSent) this.#client.typing({ ...this.#told.where, active: false });
    this.#told = undefined;
  }

  close() {
    for (const timer of this.#writing.values()) clearTimeout(timer);
    clearTimeout(this.#told?.timer);
    this.#writing.clear();
    this.#told = undefined;
  }

  #changed(conversation) {
    this.dispatchEvent(new CustomEvent("change", { detail: { conversation } }));
  }
}
