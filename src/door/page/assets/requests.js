// Requests other than sends, one at a time: so an error without a key can only be the answer to that one. A request
// that a lost connection left open is asked again on the next one.

const ANSWERS = {
  read: "receipt",
  delivered: "receipt",
  history: "history",
  conversations: "conversations",
  conversation: "conversation",
  receipts: "receipts",
  unread: "unread",
  watch: "presence",
  appear: "appeared",
  claim: "assignment",
  inbox: "inbox",
  block: "blocked",
  blocks: "blocks",
  ban: "banned",
  find: "person",
  resume: "resumed",
  refresh: "refreshed",
};

/** Requests that mean nothing on another connection. */
const OF_ONE_CONNECTION = new Set(["resume", "refresh", "watch"]);

export class Requests {
  #queue = [];
  #isAsked = false;
  #unknown = new Set();

  /** Puts a request at the end. Answers a promise of its answer's frame. */
  add(frame) {
    return new Promise((resolve, reject) => this.#queue.push({ frame, resolve, reject }));
  }

  /** The frame to send now, if none is under way. It counts as under way from here on. */
  take() {
    if (this.#isAsked) return undefined;
    while (this.#queue.length > 0 && this.lacks(this.#queue[0].frame.type)) {
      this.#end().reject(Object.assign(new Error("the server does not know this"), { code: "bad_frame" }));
    }
    if (this.#queue.length === 0) return undefined;
    this.#isAsked = true;
    return this.#queue[0].frame;
  }

  /** Whether the server has said that it does not know such requests. */
  lacks(type) {
    return this.#unknown.has(type);
  }

  /** Whether the request under way is about this conversation. */
  isAbout(conversation) {
    return this.#isAsked && this.#queue[0].frame.conversation === conversation;
  }

  /** A frame came: resolves the request under way if it is its answer.
   *  @param {string[]} selves whose receipts are our own */
  answered(frame, selves) {
    if (this.#isAsked && isAnswer(this.#queue[0].frame, frame, selves)) this.#end().resolve(frame);
  }

  /** An error without a key came. Answers whether it was about the request under way: then that one is to be asked
   *  again after `retry_after_ms`, or has failed if there is none. */
  refused(error, asError) {
    if (!this.#isAsked || !isAbout(this.#queue[0].frame, error)) return false;
    if (error.retry_after_ms === undefined) {
      if (error.code === "bad_frame") this.#unknown.add(this.#queue[0].frame.type);
      this.#end().reject(asError(error));
    } else {
      this.#isAsked = false;
    }
    return true;
  }

  /** The connection is gone. The next one may be to another server. */
  disconnected() {
    this.#isAsked = false;
    this.#unknown.clear();
    const isOver = ({ frame }) => OF_ONE_CONNECTION.has(frame.type);
    const over = this.#queue.filter(isOver);
    this.#queue = this.#queue.filter((request) => !isOver(request));
    for (const { reject } of over) reject(new Error("the connection is gone"));
  }

  /** Nothing will be answered any more. */
  stop() {
    this.disconnected();
    for (const { reject } of this.#queue.splice(0)) reject(new Error("the client was stopped"));
  }

  #end() {
    this.#isAsked = false;
    return this.#queue.shift();
  }
}

/** Whether a frame answers a request: some also come unasked, about others. */
function isAnswer(asked, frame, selves) {
  if (ANSWERS[asked.type] !== frame.type) return false;
  const isSame = frame.conversation === asked.conversation && (asked.active ?? frame.active) === frame.active;
  switch (frame.type) {
    case "receipt":
      return isSame && selves.includes(frame.user) && frame[asked.type] >= (asked.seq ?? 0);
    case "presence":
      return asked.users.every((user) => frame.users.some((known) => known.user === user));
    case "assignment":
      return isSame && isMadeBy(asked, frame, selves[0]);
    case "blocked":
    case "banned":
      return isSame && frame.user === asked.user;
    default:
      return isSame;
  }
}

/** Whether a talk stands as a claim asks for: then it does not matter whether it was made so just now. */
function isMadeBy({ action, to }, { state, agent }, self) {
  if (action === "claim" || action === "pass") return state === "claimed" && agent === (to ?? self);
  return state === (action === "close" ? "closed" : "open");
}

/** Cursors that were not taken are refused one by one, each with its conversation: those are not about a request. */
function isAbout(asked, error) {
  if (error.code === "conflict" && asked.type !== "claim") return false;
  return error.code === "bad_frame" || error.conversation === asked.conversation;
}
