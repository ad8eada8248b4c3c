// Requests other than sends, one at a time: so an error without a key can only be the answer to that one. A request
// that a lost connection left open is asked again on the next one.

const ANSWERS = {
  read: "receipt",
  delivered: "receipt",
  history: "history",
  conversations: "conversations",
  resume: "resumed",
  refresh: "refreshed",
};

/** Requests that mean nothing on another connection. */
const OF_ONE_CONNECTION = new Set(["resume", "refresh"]);

export class Requests {
  #queue = [];
  #isAsked = false;

  /** Puts a request at the end. Answers a promise of its answer's frame. */
  add(frame) {
    return new Promise((resolve, reject) => this.#queue.push({ frame, resolve, reject }));
  }

  /** The frame to send now, if none is under way. It counts as under way from here on. */
  take() {
    if (this.#isAsked || this.#queue.length === 0) return undefined;
    this.#isAsked = true;
    return this.#queue[0].frame;
  }

  /** A frame came: resolves the request under way if it is its answer. */
  answered(frame, user) {
    if (this.#isAsked && isAnswer(this.#queue[0].frame, frame, user)) this.#end().resolve(frame);
  }

  /** An error without a key came. Answers whether it was about the request under way: then that one is to be asked
   *  again after `retry_after_ms`, or has failed if there is none. */
  refused(error) {
    if (!this.#isAsked || !isAbout(this.#queue[0].frame, error)) return false;
    if (error.retry_after_ms === undefined) {
      this.#end().reject(Object.assign(new Error(error.message), { code: error.code }));
    } else {
      this.#isAsked = false;
    }
    return true;
  }

  /** The connection is gone. */
  disconnected() {
    this.#isAsked = false;
    this.#queue = this.#queue.filter(({ frame }) => !OF_ONE_CONNECTION.has(frame.type));
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

function isAnswer(asked, frame, user) {
  if (ANSWERS[asked.type] !== frame.type) return false;
  if (frame.type === "history") return frame.conversation === asked.conversation;
  if (frame.type !== "receipt") return true;
  const isOwn = frame.user === user && frame.conversation === asked.conversation;
  return isOwn && frame[asked.type] >= asked.seq;
}

/** Cursors that were not taken are refused one by one, each with its conversation: those are not about a request. */
function isAbout(asked, error) {
  return error.code === "bad_frame" || error.conversation === asked.conversation;
}
