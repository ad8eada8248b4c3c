// How far our messages have come: on the way, sent, delivered, read.

import { icon, unseen } from "./view.js";

const WORDS = { pending: "sending", sent: "sent", delivered: "delivered", read: "read" };
const PICTURES = { pending: "clock", sent: "tick", delivered: "ticks", read: "ticks" };

export class Ticks {
  #cursors = new Map();

  /** Somebody has come this far. Answers whether that is news. */
  heard({ user, read = 0, delivered = 0 }) {
    const known = this.#cursors.get(user) ?? { read: 0, delivered: 0 };
    const now = { read: Math.max(known.read, read), delivered: Math.max(known.delivered, delivered, read) };
    this.#cursors.set(user, now);
    return now.read !== known.read || now.delivered !== known.delivered;
  }

  /** What can be said of the message at this place, if these are all whom it is for. */
  stateOf(seq, others) {
    const all = (reached) =>
      others.length > 0 && others.every((user) => (this.#cursors.get(user)?.[reached] ?? 0) >= seq);
    if (all("read")) return "read";
    return all("delivered") ? "delivered" : "sent";
  }
}

/** The picture of a state, with its word for those who do not see it. */
export function picture(state) {
  const made = document.createElement("span");
  made.className = `state ${state}`;
  made.title = WORDS[state];
  made.append(icon(PICTURES[state]), unseen(WORDS[state]));
  return made;
}
