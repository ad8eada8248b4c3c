// Messages on their way to the server: in order, each stored once, whatever happens in between.
//
// A message stays here under its key until the server says `sent`, and goes again with the same key on every new
// connection. After a refusal that may pass, nothing more is sent into that conversation until everything that is
// under way in it was answered; then the queue is sent again, the oldest first. See "Sending" in docs/protocol.md.

/** Sends under way at once; the server stops reading at 64. */
const IN_FLIGHT_MAX = 16;

export class Outbox {
  #entries;
  #held = new Map();

  /** @param {Array} entries as `entries()` once gave them */
  constructor(entries = []) {
    this.#entries = entries.map((entry) => ({ ...entry, state: entry.state === "failed" ? "failed" : "waiting" }));
  }

  /** Adds `{ key, conversation, to?, for_team?, text, head? }` at the end, or `{ key, conversation, group }`. */
  add(entry) {
    this.#entries.push({ ...entry, state: "waiting" });
  }

  /** What to send now, in this order. It counts as under way from here on. */
  take(now) {
    this.#release(now);
    let free = IN_FLIGHT_MAX - this.#inFlight().length;
    const taken = [];
    // What stands behind another that has to wait would overtake it.
    const waits = new Set(this.#held.keys());
    for (const entry of this.#entries.filter(({ state }) => state === "waiting")) {
      const { conversation } = entry;
      if (free <= 0) break;
      if (waits.has(conversation) || this.#mustWait(entry)) {
        waits.add(conversation);
        continue;
      }
      entry.state = "in flight";
      taken.push(entry);
      free -= 1;
    }
    return taken;
  }

  /** What names the place before its own goes alone, so that none of ours comes in between. */
  #mustWait({ conversation, head }) {
    const before = this.#inFlight().filter((other) => other.conversation === conversation);
    return before.length > 0 && (head !== undefined || before.some((other) => other.head !== undefined));
  }

  /** When `take` may have something that it does not have yet; undefined if only an answer can change that. */
  wakeAt() {
    const waits = [...this.#held].filter(([conversation]) => !this.#isBusy(conversation)).map(([, until]) => until);
    return waits.length > 0 ? Math.min(...waits) : undefined;
  }

  /** The message is shown now. Answers whether it was here and had not been. It stays: only `sent` or a final refusal
   *  takes it out, since the server may be waiting for its key to come back. */
  show(key) {
    const entry = this.find(key);
    if (!entry || entry.isShown) return false;
    entry.isShown = true;
    return true;
  }

  /** The message is stored at this place: those behind it that expected it to be free expect it no longer. Answers its
   *  entry, if it was here. */
  stored(key, seq) {
    const stored = this.remove(key);
    for (const entry of stored ? this.#entries : []) {
      if (entry.conversation === stored.conversation && entry.head === seq - 1) entry.head = seq;
    }
    return stored;
  }

  /** Takes a message out. Answers its entry, if it was here. */
  remove(key) {
    const entry = this.find(key);
    if (entry) this.#entries.splice(this.#entries.indexOf(entry), 1);
    return entry;
  }

  /** The message was refused: for good, or until later. Answers its entry. */
  refused(key, { code, message, retry_after_ms, messages, more }, now) {
    const entry = this.find(key);
    if (!entry) return undefined;
    if (retry_after_ms === undefined && entry.isShown) {
      this.remove(key);
    } else if (retry_after_ms === undefined) {
      entry.state = "failed";
      entry.reason = message;
      if (code === "conflict") entry.conflict = { messages, more };
    } else {
      entry.state = "waiting";
      if (code !== "blocked" || !this.#held.has(entry.conversation)) {
        const until = Math.max(now + retry_after_ms, this.#held.get(entry.conversation) ?? 0);
        this.#held.set(entry.conversation, until);
      }
    }
    return entry;
  }

  /** The connection is gone: what was under way is not known, and goes again. */
  disconnected() {
    for (const entry of this.#inFlight()) entry.state = "waiting";
    this.#held.clear();
  }

  /** Sends a failed message again, behind the others, and behind whatever came meanwhile: then it is another message,
   *  under a new key. */
  retry(key, newKey) {
    const entry = this.remove(key);
    if (!entry) return;
    const { reason, conflict, head, ...again } = entry;
    this.add({ ...again, key: conflict ? newKey : key });
  }

  /** The entry of that key. */
  find(key) {
    return this.#entries.find((entry) => entry.key === key);
  }

  /** What is here, in order. */
  entries() {
    return this.#entries.map((entry) => ({ ...entry }));
  }

  #inFlight() {
    return this.#entries.filter((entry) => entry.state === "in flight");
  }

  #isBusy(conversation) {
    return this.#inFlight().some((entry) => entry.conversation === conversation);
  }

  /** Lets conversations go on whose time has come and in which nothing is under way any more. */
  #release(now) {
    for (const [conversation, until] of this.#held) {
      if (now >= until && !this.#isBusy(conversation)) this.#held.delete(conversation);
    }
  }
}

/** What an entry says on the wire. */
export function frameOf({ key, conversation, to, for_team, text, head, group }) {
  if (group?.action === "create") return { type: "group", key, ...group };
  if (group) return { type: "group", key, conversation, ...group };
  const whereto = to === undefined ? { conversation } : { to, for_team };
  return { type: "send", ...whereto, key, text, head };
}
