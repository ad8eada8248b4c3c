// What survives a reload: who is signed in, messages on their way, drafts, and which conversation was open. It is kept
// for this tab only, so that two tabs can be two people.

const PREFIX = "switchboard.";
const WHO = "switchboard.who";
const USER = "switchboard.user";
const PENDING = "switchboard.pending";
const OPEN = "switchboard.open";
const VIEW = "switchboard.view";
const DRAFT = "switchboard.draft.";

function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key)) ?? undefined;
  } catch {
    return undefined;
  }
}

function write(key, value) {
  try {
    if (value === undefined) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // The tab's room is used up: then this does not survive a reload.
  }
}

export const keep = {
  /** `{ name, role }` or `{ token }`. */
  get who() {
    return read(WHO);
  },

  set who(who) {
    write(WHO, who);
  },

  /** Whose things these are. Another user's are forgotten. */
  belongTo(user) {
    const { who } = this;
    if (read(USER) !== user) this.clear();
    write(WHO, who);
    write(USER, user);
  },

  clear() {
    for (const key of Object.keys(sessionStorage)) {
      if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
    }
  },

  /** What a client takes as `saved`: messages on their way. What was shown is read again. */
  get saved() {
    return { user: read(USER), pending: read(PENDING) ?? [] };
  },

  set pending(entries) {
    write(PENDING, entries);
  },

  /** The open conversation, as much of its row as is needed before the list is read. */
  get open() {
    return read(OPEN);
  },

  set open(row) {
    write(OPEN, row);
  },

  /** Which part of the list is shown. */
  get view() {
    return read(VIEW);
  },

  set view(view) {
    write(VIEW, view);
  },

  draft(conversation) {
    return read(DRAFT + conversation) ?? "";
  },

  setDraft(conversation, text) {
    write(DRAFT + conversation, text || undefined);
  },
};
