// The conversations that are known, whoever told of them: the list, the inbox, messages as they come.

import { TEAM } from "./ids.js";

export class Rows extends EventTarget {
  #rows = new Map();
  #read = new Map();
  #counts = new Map();

  /** @param {{ user: string, role: string }} me the client, or as much of it */
  constructor(me) {
    super();
    this.me = me;
  }

  get(conversation) {
    return this.#rows.get(conversation);
  }

  all() {
    return [...this.#rows.values()];
  }

  clear() {
    this.#rows.clear();
    this.#read.clear();
    this.#counts.clear();
    this.#changed();
  }

  /** Rows as the server gave them. What messages have told since is newer. Answers those that are out of date. */
  put(rows) {
    const stale = [];
    for (const row of rows) {
      const { conversation } = row;
      const known = this.#rows.get(conversation);
      const isOld = known !== undefined && row.last_seq < known.last_seq;
      if (isOld) stale.push(conversation);
      const merged = { ...known, ...row, isNew: false };
      if (isOld) Object.assign(merged, { last_seq: known.last_seq, last: known.last, unread: known.unread });
      if (known?.assignment && row.assignment) merged.assignment = later(known.assignment, row.assignment);
      if ((this.#read.get(conversation) ?? 0) >= merged.last_seq) merged.unread = 0;
      this.#rows.set(conversation, merged);
      this.#counts.delete(conversation);
    }
    this.#changed();
    return stale;
  }

  /** A conversation that may not have begun. */
  begin(row) {
    if (!this.#rows.has(row.conversation)) {
      this.#rows.set(row.conversation, { last_seq: 0, last: null, unread: 0, isNew: true, ...row });
      this.#changed();
    }
    return this.#rows.get(row.conversation);
  }

  forget(conversation) {
    this.#rows.delete(conversation);
    this.#read.delete(conversation);
    this.#counts.delete(conversation);
    this.#changed();
  }

  /** A message came. Answers whether its row is known well enough. */
  message(message) {
    const row = this.#rows.get(message.conversation);
    if (!row) return false;
    if (message.seq <= row.last_seq) return true;
    // Of those in between nothing is known; they come, too, or the row is read again.
    const isNext = message.seq === row.last_seq + 1 || row.isNew;
    const { seq, from, at, text, event } = message;
    Object.assign(row, { last_seq: seq, last: { seq, from, at, text, event } });
    // What happened to a group is no message that waits to be read.
    if (!event && !this.isOurs(row, from)) row.unread += 1;
    if (event) happened(row, event, from, this.me.user);
    this.#changed();
    return isNext && !row.isNew && !changesMembers(event);
  }

  /** A receipt came. Answers whether its row is still right. */
  receipt({ conversation, user, read, delivered }) {
    const row = this.#rows.get(conversation);
    if (!row) return true;
    const member = row.members.find((member) => member.user === user);
    if (member) {
      member.read = Math.max(member.read ?? 0, read);
      member.delivered = Math.max(member.delivered ?? 0, delivered);
    }
    if (user !== this.seat(row)) return true;
    this.#read.set(conversation, Math.max(this.#read.get(conversation) ?? 0, read));
    if (row.unread === 0) return true;
    if (read < row.last_seq) return false;
    row.unread = 0;
    this.#changed();
    return true;
  }

  /** Whose the conversation is now: `{ agent?, state, change?, by?, at? }`. Answers whether its row is here. */
  assignment({ type, conversation, ...assignment }) {
    const row = this.#rows.get(conversation);
    if (!row) return false;
    row.assignment = later(row.assignment, assignment);
    this.#changed();
    return true;
  }

  /** What the server counted, for the conversations that are not here. */
  counts(counts) {
    this.#counts = new Map(Object.entries(counts).filter(([conversation]) => !this.#rows.has(conversation)));
    this.#changed();
  }

  /** How many messages are unread in all. */
  unread() {
    const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
    return sum(this.all().map((row) => row.unread)) + sum([...this.#counts.values()]);
  }

  /** As whom we sit in a conversation: agents in those of others as the team. */
  seat(row) {
    return this.isDesk(row) ? TEAM : this.me.user;
  }

  /** Whether it is a talk of somebody with the team, and we are an agent of it. */
  isDesk(row) {
    return row.kind === "support" && this.me.role === "admin" && this.person(row) !== this.me.user;
  }

  /** Whether our side wrote what this user wrote. */
  isOurs(row, from) {
    return from === this.me.user || (this.isDesk(row) && from !== this.person(row));
  }

  /** The other one in a conversation of two, or oneself in a conversation with oneself. */
  peer(row) {
    const { user } = this.me;
    if (row.kind === "support") return this.isDesk(row) ? this.person(row) : TEAM;
    return (row.members.find((member) => member.user !== user) ?? row.members[0])?.user;
  }

  /** Who asks the team. */
  person(row) {
    return row.members.find(({ user }) => user !== TEAM)?.user;
  }

  /** Says that something changed in a row from outside. */
  touched() {
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** When something was last said there; what has not begun is on top. */
export function activity(row) {
  return row.last?.at ?? Number.MAX_SAFE_INTEGER;
}

/** Assignments are counted: the later one is true, in whatever order they come. */
function later(known, told) {
  return (known?.change ?? 0) > (told.change ?? Infinity) ? known : told;
}

/** What an event makes of a group's row; who and how many are in it is read again after that. */
function happened(row, { kind, user, name, role }, from, me) {
  const gone = kind === "left" ? from : kind === "removed" ? user : undefined;
  const isKnown = row.members.some((member) => member.user === user);
  if (kind === "named") row.name = name;
  if (kind === "added" && !isKnown) row.members = [...row.members, { user, name: user }];
  if (kind === "role") row.members = row.members.map((member) => (member.user === user ? { ...member, role } : member));
  if (gone !== undefined) row.members = row.members.filter((member) => member.user !== gone);
  if (gone === me) row.isLeft = true;
  if (kind === "added" && user === me) row.isLeft = false;
}

function changesMembers(event) {
  return event !== undefined && event !== null && event.kind !== "named";
}
