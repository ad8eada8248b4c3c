// A server of the native protocol that says what a test wants it to say: for what a real one does only by chance, such
// as two agents who are equally fast. It stands in the page's own browser, in place of the socket.

const MINUTE = 60_000;
const now = Date.now();

export const NAMES = {
  ann: "Ann Lindqvist",
  bob: "Bob Moreau",
  cy: "Cyrus Vance",
  dee: "Dee Okafor",
  sue: "Sue Park",
  tom: "Tom Baker",
};
const HERE = new Set(["ann", "bob", "dee", "sue"]);

export const id = (number) => number.toString(16).padStart(32, "0");

/** Members, as a row names them. */
export function members(...users) {
  const seen = (user) => (user === "cy" ? { last_seen: now - 42 * MINUTE } : {});
  return users.map((user) => ({ user, name: NAMES[user] ?? user, online: HERE.has(user), ...seen(user) }));
}

export class Server {
  rows = [];
  heard = [];
  #texts = new Map();
  #say;

  constructor(user, role) {
    this.user = user;
    this.role = role;
  }

  /** A conversation of which these were said: `[from, minutes ago, text or event]`. */
  has(row, ...said) {
    const texts = said.map(([from, ago, what], at) => {
      const words = typeof what === "string" ? { text: what } : { text: "", event: what };
      return {
        conversation: row.conversation,
        seq: at + 1,
        id: "0".repeat(24),
        from,
        key: `k${at}`,
        at: now - ago * MINUTE,
        ...words,
      };
    });
    this.#texts.set(row.conversation, texts);
    this.rows.push({ unread: 0, member_count: row.members.length, ...row, last_seq: texts.length, last: texts.at(-1) });
    return this;
  }

  /** Takes the place of the page's socket. */
  async stand(page) {
    await page.routeWebSocket(/\/ws$/, (socket) => {
      this.#say = (frame) => socket.send(JSON.stringify(frame));
      socket.onMessage((data) => {
        const frame = JSON.parse(data);
        this.heard.push(frame);
        const answer = this.answer(frame);
        if (answer) this.say(answer);
      });
    });
  }

  say(frame) {
    this.#say(frame);
  }

  /** Somebody else says something, live. */
  tell(conversation, from, text) {
    const texts = this.#texts.get(conversation);
    const message = {
      conversation,
      seq: texts.length + 1,
      id: "1".repeat(24),
      from,
      key: `t${texts.length}`,
      at: Date.now(),
      text,
    };
    texts.push(message);
    this.say({ type: "message", ...message });
    return message;
  }

  /** What a real server would say. A test may put something before it. */
  answer(frame) {
    const row = this.rows.find(({ conversation }) => conversation === frame.conversation);
    const isDesk = row?.kind === "support" && this.role === "admin";
    switch (frame.type) {
      case "hello":
        return {
          type: "welcome",
          user: this.user,
          role: this.role,
          as_of: "a",
          expires: now + 600 * MINUTE,
          policy: "open",
        };
      case "conversations":
        return { type: "conversations", ...this.#list(frame.behind) };
      case "inbox":
        return {
          type: "inbox",
          conversations: this.rows.filter((talk) => talk.kind === "support" && this.#passes(talk, frame.filter)),
        };
      case "conversation":
        return { type: "conversation", ...row };
      case "history":
        return {
          type: "history",
          conversation: frame.conversation,
          ...this.#page(frame),
        };
      case "receipts":
        return {
          type: "receipts",
          conversation: frame.conversation,
          cursors: row.members.map(({ user }) => ({ user, read: 4, delivered: 5 })),
        };
      case "read":
      case "delivered":
        return {
          type: "receipt",
          conversation: frame.conversation,
          user: isDesk ? "team" : this.user,
          read: frame.type === "read" ? frame.seq : 0,
          delivered: frame.seq,
        };
      case "watch":
        return {
          type: "presence",
          users: members(...frame.users).map(({ user, online, last_seen }) => ({ user, online, last_seen })),
        };
      case "unread":
        return { type: "unread", total: 0, more: false, conversations: {} };
      case "blocks":
        return { type: "blocks", users: [] };
      case "appear":
        return { type: "appeared", offline: frame.offline };
      case "typing":
      case "ping":
        return undefined;
      case "send":
        return {
          type: "sent",
          key: frame.key,
          conversation: frame.conversation,
          seq: this.#store(frame),
          id: "2".repeat(24),
          at: Date.now(),
          shown: true,
        };
      default:
        return { type: "error", code: "bad_frame", message: `unknown variant ${frame.type}` };
    }
  }

  #store({ conversation, text, key }) {
    const texts = this.#texts.get(conversation);
    texts.push({ conversation, seq: texts.length + 1, id: "2".repeat(24), from: this.user, key, at: Date.now(), text });
    return texts.length;
  }

  /** Rows behind one, latest first: 20 at once. */
  #list(behind = -1) {
    const own = this.rows.filter(({ kind }) => this.role === "user" || kind !== "support");
    const from = Number(behind) + 1;
    const conversations = own.sort((one, other) => other.last.at - one.last.at).slice(from, from + 20);
    return { conversations, next: from + 20 < own.length ? String(from + 19) : undefined };
  }

  #page({ conversation, before = Infinity, limit = 100 }) {
    const earlier = (this.#texts.get(conversation) ?? []).filter(({ seq }) => seq < before);
    return { messages: earlier.slice(-limit), more: earlier.length > limit };
  }

  #passes({ assignment }, filter) {
    if (filter === "mine") return assignment.agent === this.user;
    return filter === "all" || assignment.state === filter;
  }
}
