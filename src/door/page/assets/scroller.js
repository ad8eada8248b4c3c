// What is seen of a long list that grows at both ends: the end stays the end, and what is looked at stays where it is.

/** How near to the end counts as the end, and to the beginning as the beginning, in pixels. */
const NEAR_END = 48;
const NEAR_BEGINNING = 400;

export class Scroller {
  #box;
  #isAtEnd = true;
  #watching;

  /** @param {Element} box the element that scrolls
   *  @param {Element} content what is in it: as it grows, the end stays in sight if it was */
  constructor(box, content) {
    this.#box = box;
    this.#watching = new ResizeObserver(() => this.#isAtEnd && this.toEnd());
    this.#watching.observe(content);
    this.#watching.observe(box);
  }

  get isAtEnd() {
    return this.#isAtEnd;
  }

  get isNearBeginning() {
    return this.#box.scrollTop < NEAR_BEGINNING;
  }

  /** Somebody scrolled. */
  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#isAtEnd = true;
  }

  /** Shows an element, a little below the upper edge. */
  to(element) {
    const offset = element.getBoundingClientRect().top - this.#box.getBoundingClientRect().top;
    this.#box.scrollTop += offset - 24;
    this.scrolled();
  }

  /** Changes what is there, and keeps what is looked at where it is. */
  keeping(change) {
    if (this.#isAtEnd) {
      change();
      return this.toEnd();
    }
    const { scrollHeight, scrollTop } = this.#box;
    change();
    this.#box.scrollTop = scrollTop + this.#box.scrollHeight - scrollHeight;
    return this.scrolled();
  }

  /** Changes what is at the end, and follows it if it was in sight, or is to be. */
  keepingEnd(change, isToFollow) {
    const follows = this.#isAtEnd || isToFollow;
    change();
    if (follows) this.toEnd();
  }

  close() {
    this.#watching.disconnect();
  }
}
