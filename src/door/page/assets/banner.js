// Says how the connection stands, as long as there is something to say.

import { byId, say } from "./view.js";

/** A connection that is there sooner than this is not worth a word, in milliseconds. */
const PATIENCE = 400;
const SECOND = 1_000;

export class Banner {
  #client;
  #timer;
  #was;

  constructor(client) {
    this.#client = client;
    client.addEventListener("status", ({ detail }) => this.#show(detail));
    byId("try-now").onclick = () => client.reconnect();
    // A machine that wakes up, or is somewhere else now, need not wait.
    globalThis.ononline = () => client.reconnect();
  }

  #show({ state, code, reason, retryInMs }) {
    clearTimeout(this.#timer);
    const isFirst = this.#was === undefined;
    this.#was = state;
    byId("try-now").hidden = state !== "waiting";
    if (state === "online" || state === "stopped") return this.#hide();
    if (state === "connecting" && isFirst) {
      this.#timer = setTimeout(() => this.#tell("Connecting …"), PATIENCE);
      return undefined;
    }
    if (state === "connecting") return this.#tell("Connecting again …");
    if (state === "leaving") return this.#tell("This server is restarting. You will be connected to another one.");
    return this.#count(whyLost(code, reason), Date.now() + retryInMs);
  }

  /** Counts down to the next attempt. */
  #count(why, until) {
    const left = Math.max(1, Math.ceil((until - Date.now()) / SECOND));
    byId("banner-count").textContent = `Next try in ${left} s.`;
    this.#tell(why, true);
    this.#timer = setTimeout(() => this.#count(why, until), SECOND);
  }

  /** What is counted is not read out each second: the count stands beside the words. */
  #tell(text, isCounting = false) {
    say(byId("banner-text"), text);
    byId("banner-count").hidden = !isCounting;
    byId("banner").dataset.state = this.#client.status.state;
    byId("banner").hidden = false;
  }

  #hide() {
    byId("banner").hidden = true;
    say(byId("banner-text"), "");
  }
}

function whyLost(code, reason) {
  const kept = "What you write is kept and sent when it is back.";
  if (code === 1001 || code === 1012) return `The server is restarting. ${kept}`;
  if (code === 4401) return "Your sign-in has expired: getting a new one.";
  if (code === 4429) return `The server asks us to slow down. ${kept}`;
  if (code === 1013) return `The server cannot serve us now. ${kept}`;
  if (code === 1006 && reason) return `No connection: ${reason}. ${kept}`;
  return `The connection is lost. ${kept}`;
}
