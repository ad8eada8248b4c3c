// The browser's own way back: where only the list or a thread is seen, it leads from the thread to the list.

const NARROW = matchMedia("(max-width: 720px)");

export class Back {
  #leave;

  /** @param {() => void} leave shows the list again */
  constructor(leave, signal) {
    this.#leave = leave;
    addEventListener("popstate", () => this.#leave(), { signal });
  }

  /** A thread is shown. */
  opened() {
    if (NARROW.matches && !history.state?.thread) history.pushState({ thread: true }, "");
  }

  /** Goes back as the browser does, if it can. */
  leave() {
    if (history.state?.thread) history.back();
    else this.#leave();
  }
}
