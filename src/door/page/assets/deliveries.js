// Tells others what has reached this page: per conversation the last one, a moment after it came.

/** How long they gather, in milliseconds. */
const GATHER = 400;

export class Deliveries {
  #client;
  #told = new Map();
  #due = new Map();
  #timer;

  constructor(client) {
    this.#client = client;
  }

  /** Everything up to here is on this page. */
  reached(conversation, seq) {
    if (seq <= Math.max(this.#told.get(conversation) ?? 0, this.#due.get(conversation) ?? 0)) return;
    this.#due.set(conversation, seq);
    this.#timer ??= setTimeout(() => this.#tell(), GATHER);
  }

  /** It has been said for us: what was read was delivered. */
  told(conversation, seq) {
    if (seq > (this.#told.get(conversation) ?? 0)) this.#told.set(conversation, seq);
    if (seq >= (this.#due.get(conversation) ?? Infinity)) this.#due.delete(conversation);
  }

  close() {
    clearTimeout(this.#timer);
  }

  #tell() {
    this.#timer = undefined;
    for (const [conversation, seq] of this.#due) {
      this.told(conversation, seq);
      this.#client.delivered(conversation, seq).catch(() => {});
    }
    this.#due.clear();
  }
}
