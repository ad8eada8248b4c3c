// Where this client is in each conversation: what makes it show every message once.
//
// A conversation's cursor is the place up to which everything was shown. On one connection messages come in order, but
// an own message is shown as soon as its place is known, which may be beyond the cursor: it is remembered until the
// cursor reaches it. See "Showing every message once" in docs/protocol.md.

/** Places that are remembered beyond a cursor. More mean that what is missing will not come: it is passed over. */
const BEYOND_MAX = 1000;

export class Places {
  #cursors;
  #beyond = new Map();

  /** @param {Object<string, number>} cursors as `cursors()` once gave them */
  constructor(cursors = {}) {
    this.#cursors = new Map(Object.entries(cursors));
  }

  /** A `message` came. Answers whether it is new. The first one begins the cursor: earlier ones are not owed. */
  arrived(conversation, seq) {
    if (!this.#cursors.has(conversation)) return this.#begin(conversation, seq);
    return this.#add(conversation, seq);
  }

  /** A `sent` came. If it is the next message of its conversation it is like a `message`; if not, earlier ones may be
   *  owed, so that it begins no cursor. */
  sent(conversation, seq, isNext) {
    if (isNext) this.arrived(conversation, seq);
    else this.#add(conversation, seq);
  }

  /** What lies between the cursor and this place will not come: the user was away from the group meanwhile. */
  jump(conversation, seq) {
    if (this.#cursors.get(conversation) < seq - 1) this.#advance(conversation, seq - 1);
  }

  /** A page of history is shown. The newest page begins a cursor; one that joins on to the cursor moves it. */
  page(conversation, messages, isNewest) {
    const cursor = this.#cursors.get(conversation);
    const last = messages.at(-1)?.seq ?? 0;
    if (cursor === undefined ? isNewest : messages.length > 0 && messages[0].seq <= cursor + 1 && last > cursor) {
      this.#advance(conversation, last);
    }
  }

  /** Forgets a conversation, or all of them. */
  forget(conversation) {
    for (const known of [this.#cursors, this.#beyond]) {
      if (conversation === undefined) known.clear();
      else known.delete(conversation);
    }
  }

  /** All cursors, the one that moved last at the end. */
  cursors() {
    return Object.fromEntries(this.#cursors);
  }

  #begin(conversation, seq) {
    const isNew = !this.#beyond.get(conversation)?.has(seq);
    this.#advance(conversation, seq);
    return isNew;
  }

  #add(conversation, seq) {
    const cursor = this.#cursors.get(conversation);
    const beyond = this.#beyond.get(conversation) ?? new Set();
    if (seq <= cursor || beyond.has(seq)) return false;
    this.#beyond.set(conversation, beyond.add(seq));
    if (cursor !== undefined) this.#advance(conversation, beyond.size > BEYOND_MAX ? Math.min(...beyond) : cursor);
    else if (beyond.size > BEYOND_MAX) beyond.delete(Math.min(...beyond));
    return true;
  }

  /** Moves the cursor, and on over what was shown beyond it. */
  #advance(conversation, to) {
    const beyond = this.#beyond.get(conversation) ?? new Set();
    let cursor = to;
    while (beyond.has(cursor + 1)) cursor += 1;
    for (const seq of beyond) if (seq <= cursor) beyond.delete(seq);
    if (beyond.size === 0) this.#beyond.delete(conversation);
    if (cursor === this.#cursors.get(conversation)) return;
    this.#cursors.delete(conversation);
    this.#cursors.set(conversation, cursor);
  }
}
