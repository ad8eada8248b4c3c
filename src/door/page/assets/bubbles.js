// The messages of one conversation, in the document: by their places, with the day and the writer where they change.

import { avatar } from "./avatar.js";
import { describe } from "./events.js";
import { clockTime, dayName, dayOf } from "./format.js";
import { SYSTEM } from "./ids.js";
import { withLinks } from "./links.js";
import { element, unseen } from "./view.js";

/** How long somebody may pause and still go on with the same group of messages, in milliseconds. */
const PAUSE = 5 * 60_000;

export class Bubbles {
  #list;
  #items = [];
  #who;
  #freshFrom;

  /**
   * @param {Element} list where they are shown
   * @param {{ isOurs: (from: string) => boolean, isMine: (from: string) => boolean, called: (user: string) => string,
   *   showsNames: () => boolean, tick: (message: object) => Node | string }} who what is known of the writers
   */
  constructor(list, who) {
    this.#list = list;
    this.#who = who;
    list.replaceChildren();
  }

  get size() {
    return this.#items.length;
  }

  get first() {
    return this.#items[0]?.message.seq;
  }

  get last() {
    return this.#items.at(-1)?.message.seq ?? 0;
  }

  /** The last one that is not from our side. */
  get lastOfOthers() {
    return this.#items.findLast(({ message }) => !this.#who.isOurs(message.from))?.message.seq ?? 0;
  }

  has(seq) {
    return this.#items[this.#placeOf(seq)]?.message.seq === seq;
  }

  /** Puts messages at their places, each once. Answers those that are new here. */
  add(messages) {
    const added = messages.filter((message) => this.#insert(message));
    for (const { seq } of added) {
      const place = this.#placeOf(seq);
      this.#dress(place);
      this.#dress(place + 1);
      this.#dress(place - 1);
    }
    return added;
  }

  /** Says in front of this message that from here on everything is new. Answers whether it is here. */
  setFresh(seq) {
    const before = this.#placeOf(this.#freshFrom ?? Infinity);
    this.#freshFrom = seq;
    this.#dress(before);
    if (seq !== undefined && this.has(seq)) this.#dress(this.#placeOf(seq));
  }

  /** The first of the last so many messages of others; undefined where fewer are here. */
  firstOfUnread(count) {
    let left = count;
    for (const { message } of [...this.#items].reverse()) {
      if (this.#isUnread(message)) left -= 1;
      if (left <= 0) return message.seq;
    }
    return undefined;
  }

  elementOf(seq) {
    return this.has(seq) ? this.#items[this.#placeOf(seq)].shown : undefined;
  }

  /** How far our messages have come may have changed. */
  tick() {
    for (const { message, tick } of this.#items) tick?.replaceChildren(this.#who.tick(message));
  }

  /** Names may have changed. */
  rename() {
    this.#items.forEach((_, place) => this.#dress(place));
  }

  /** How many messages of others stand behind this one. */
  countBehind(seq) {
    return this.#items.filter(({ message }) => message.seq > seq && this.#isUnread(message)).length;
  }

  /** Whether it counts as unread until it is read: what happened to a group does not. */
  #isUnread({ from, event }) {
    return !event && !this.#who.isOurs(from);
  }

  /** The place of this seq among the items, or where it would be. Nearly always the end. */
  #placeOf(seq) {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#items[middle].message.seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(message) {
    const place = this.#placeOf(message.seq);
    if (this.#items[place]?.message.seq === message.seq) return false;
    const shown = element("li", "");
    shown.dataset.seq = message.seq;
    this.#list.insertBefore(shown, this.#items[place]?.shown ?? null);
    this.#items.splice(place, 0, { message, shown, look: "" });
    return true;
  }

  /** Makes one look as its neighbours ask for. */
  #dress(place) {
    const item = this.#items[place];
    if (!item) return;
    const { message, shown } = item;
    const before = this.#items[place - 1]?.message;
    const after = this.#items[place + 1]?.message;
    const startsDay = !before || dayOf(before.at) !== dayOf(message.at);
    const isFresh = message.seq === this.#freshFrom;
    const isFirst = startsDay || isFresh || !goesOn(before, message);
    const isLast = !after || after.seq === this.#freshFrom || !goesOn(message, after);
    const name = this.#who.called(message.from);
    const look = `${startsDay} ${isFresh} ${isFirst} ${isLast} ${name} ${this.#who.showsNames()}`;
    if (item.look === look) return;
    item.look = look;
    shown.replaceChildren();
    if (startsDay) shown.append(dayLine(message.at));
    if (isFresh) shown.append(element("p", "fresh", element("span", "", "New messages")));
    const said = message.event && describe(message.event, message.from, this.#who.called);
    if (message.event && said) {
      shown.className = "event";
      shown.append(element("p", "event-text", said));
      return;
    }
    this.#bubble(item, { isFirst, isLast, name });
  }

  #bubble(item, { isFirst, isLast, name }) {
    const { message, shown } = item;
    const isOurs = this.#who.isOurs(message.from);
    const isNamed = (this.#who.showsNames() || message.from === SYSTEM) && !this.#who.isMine(message.from);
    shown.className = `message ${isOurs ? "ours" : "theirs"}${isFirst ? " first" : ""}${isLast ? " last" : ""}`;
    const bubble = element("div", "bubble");
    if (isNamed && isFirst) bubble.append(element("span", "writer", name));
    else bubble.append(unseen(`${name}: `));
    bubble.append(element("p", "text", ...withLinks(message.text)), this.#foot(item));
    const line = element("div", "line");
    if (isNamed) line.append(isLast ? avatar(message.from, name) : element("span", "avatar none"));
    line.append(bubble);
    shown.append(line);
  }

  #foot(item) {
    const { at, from } = item.message;
    const time = element("time", "", clockTime(at));
    time.dateTime = new Date(at).toISOString();
    const foot = element("span", "foot", time);
    if (this.#who.isMine(from)) {
      item.tick = element("span", "tick", this.#who.tick(item.message));
      foot.append(item.tick);
    }
    return foot;
  }
}

/** Whether the second one belongs to the same group as the first. */
function goesOn(first, second) {
  return (
    first.from === second.from &&
    !first.event &&
    !second.event &&
    second.at - first.at < PAUSE &&
    dayOf(first.at) === dayOf(second.at)
  );
}

function dayLine(at) {
  const time = element("time", "", dayName(at));
  time.dateTime = new Date(at).toISOString().slice(0, 10);
  return element("p", "day", time);
}
