// One open conversation: its messages in order, what is on its way, and what is read of it.

import { Bubbles } from "./bubbles.js";
import { Composer } from "./composer.js";
import { showDesk, warning } from "./desk.js";
import { counted } from "./format.js";
import { showHeading, titleOf } from "./heading.js";
import { showPending } from "./pending.js";
import { Scroller } from "./scroller.js";
import { Ticks, picture } from "./ticks.js";
import { byId, say } from "./view.js";

/** Messages in a page of history, and the most that there may be. */
const PAGE = 50;
const PAGE_MAX = 100;

export class Thread {
  #client;
  #rows;
  #people;
  #typers;
  #bubbles;
  #composer;
  #scroller;
  #ticks = new Ticks();
  #isLoading = false;
  #hasMore = true;
  #hasLoaded = false;
  #unreadAtFirst;
  #readUpTo = 0;
  #seenUpTo = 0;
  #isClosed = false;
  #listening = new AbortController();

  /** @param {{ client, keep, rows, people, typers }} world what there is around it
   *  @param {object} row which conversation: it is among the rows */
  constructor({ client, keep, rows, people, typers }, row) {
    this.#client = client;
    this.#rows = rows;
    this.#people = people;
    this.#typers = typers;
    this.conversation = row.conversation;
    this.#unreadAtFirst = row.unread;
    this.#composer = new Composer(keep, {
      submit: (text) => this.#submit(text),
      typed: (isEmpty) => this.#typed(isEmpty),
    });
    this.#bubbles = new Bubbles(byId("messages"), {
      isOurs: (from) => rows.isOurs(this.row, from),
      isMine: (from) => from === client.user,
      called: (user) => people.called(user),
      showsNames: () => this.row.kind !== "direct",
      tick: ({ seq }) => picture(this.#ticks.stateOf(seq, this.#others())),
    });
    this.#scroller = new Scroller(byId("scroll"), byId("scrolled"));
    byId("beginning").hidden = true;
    byId("loading").hidden = false;
    byId("jump").hidden = true;
    const { signal } = this.#listening;
    byId("scroll").addEventListener("scroll", () => this.#scrolled(), { signal });
    byId("jump").addEventListener("click", () => this.#jump(), { signal });
    this.#composer.open(this.conversation, `Message ${titleOf(row, rows, people)}`);
    this.refresh();
    this.showPending();
    this.#load();
    this.#askReceipts();
  }

  get row() {
    return this.#rows.get(this.conversation);
  }

  /** Another one is opened in its place. */
  close() {
    this.#isClosed = true;
    this.#listening.abort();
    this.#composer.stop();
    this.#scroller.close();
    this.#typers.stop();
  }

  focus() {
    this.#composer.focus();
  }

  /** A message came, live. */
  add(message) {
    this.#scroller.keepingEnd(() => this.#bubbles.add([message]), message.from === this.#client.user);
    this.#typers.stopped(this.conversation, message.from);
    this.#endMoved();
    this.readIfSeen();
  }

  /** A receipt came. */
  receipt(cursor) {
    if (this.#ticks.heard(cursor)) this.#bubbles.tick();
  }

  /** Who people are, whether they are here, or whose this is has changed. */
  refresh() {
    const { row } = this;
    if (!row) return;
    for (const member of row.members) if (member.read !== undefined) this.receipt(member);
    showHeading(row, this.#rows, this.#people, this.#typers);
    showDesk(row, this.#rows, this.#people, this.#client);
    this.#composer.warn(warning(row, this.#rows, this.#people));
    this.#composer.close(this.#whyClosed(row));
    this.#bubbles.rename();
  }

  /** Shows what is on its way, in order, behind everything that has its place. */
  showPending() {
    const entries = this.#client.pending().filter((entry) => entry.conversation === this.conversation);
    showPending(entries, this.#client, (entry) => {
      this.#client.discard(entry.key);
      this.#composer.putBack(entry.text);
    });
    const met = entries.flatMap(({ conflict }) => conflict?.messages ?? []);
    if (met.length > 0) this.#bubbles.add(met);
  }

  /** Says that everything up to the end was read, if somebody is looking at it. */
  readIfSeen() {
    const { last } = this.#bubbles;
    if (!this.#isLookedAt() || !this.#scroller.isAtEnd || !this.#hasLoaded) return;
    this.#seenUpTo = last;
    if (this.#bubbles.lastOfOthers <= this.#readUpTo) return;
    this.#readUpTo = last;
    this.#client.read(this.conversation, last).catch(() => (this.#readUpTo = 0));
  }

  /** A new connection: the receipts of before may have been missed. */
  reconnected() {
    this.#askReceipts();
    this.#load();
    this.readIfSeen();
  }

  #isLookedAt() {
    return document.visibilityState === "visible" && byId("thread").checkVisibility();
  }

  #whyClosed(row) {
    if (row.kind === "group" && row.isLeft) {
      return "You are no longer a member of this group.";
    }
    if (row.kind === "direct" && this.#people.isBlocked(this.#rows.peer(row))) {
      return "You have blocked this person. Unblock them in the details to write to them.";
    }
    return "";
  }

  /** For whom our messages are: all but our own side. */
  #others() {
    const { row } = this;
    const seat = this.#rows.seat(row);
    const others = row.members.map(({ user }) => user).filter((user) => user !== seat && user !== this.#client.user);
    return row.kind === "support" && others.length === 0 ? [this.#rows.peer(row)] : others;
  }

  /** Where a frame to this conversation goes. */
  #where() {
    const { conversation, row } = this;
    if (row.kind === "direct") return { conversation, to: this.#rows.peer(row) };
    if (row.kind === "support" && !this.#rows.isDesk(row)) return { conversation, to: this.#rows.peer(row) };
    if (row.isNew && row.kind === "support") return { conversation, to: this.#rows.person(row), for_team: true };
    return { conversation };
  }

  /** Sends what was written. Among several agents, only if nothing came that its writer has not seen. */
  #submit(text) {
    const head = this.#rows.isDesk(this.row) && this.#hasLoaded ? this.#seenUpTo : undefined;
    this.#client.send({ ...this.#where(), text, head });
    this.#typers.stop({ isSent: true });
    this.#bubbles.setFresh(undefined);
    this.#scroller.toEnd();
  }

  #typed(isEmpty) {
    if (isEmpty) this.#typers.stop();
    else this.#typers.write(this.#where());
  }

  #scrolled() {
    this.#scroller.scrolled();
    if (this.#scroller.isNearBeginning && this.#hasLoaded) this.#load();
    this.#endMoved();
    this.readIfSeen();
  }

  #jump() {
    this.#scroller.toEnd();
    this.focus();
    this.#scrolled();
  }

  /** Offers to go to the end where it is out of sight, and says how much is new there. */
  #endMoved() {
    const { isAtEnd } = this.#scroller;
    if (isAtEnd) this.#seenUpTo = this.#bubbles.last;
    byId("jump").hidden = isAtEnd;
    const count = isAtEnd ? 0 : this.#bubbles.countBehind(this.#seenUpTo);
    say(byId("jump-text"), count > 0 ? counted(count, "new message") : "Latest");
    byId("jump").classList.toggle("fresh", count > 0);
  }

  async #askReceipts() {
    if (this.row.isNew || this.#client.lacks("receipts")) return;
    const answer = await this.#client.receipts(this.conversation).catch(() => undefined);
    if (this.#isClosed || !answer) return;
    answer.cursors.forEach((cursor) => this.#ticks.heard(cursor));
    this.#bubbles.tick();
  }

  /** Loads the page of messages before those that are here. */
  async #load() {
    if (this.#isLoading || !this.#hasMore) return;
    this.#isLoading = true;
    byId("loading").hidden = false;
    const before = this.#hasLoaded ? this.#bubbles.first : undefined;
    // What is unread is to be there, as far as one page goes.
    const limit = Math.min(PAGE_MAX, Math.max(PAGE, this.#hasLoaded ? 0 : this.#unreadAtFirst + 5));
    const page = await this.#client.history(this.conversation, { before, limit }).catch(notBegun);
    this.#isLoading = false;
    if (this.#isClosed) return;
    byId("loading").hidden = true;
    if (!page) return;
    this.#hasMore = page.more;
    byId("scroll").setAttribute("aria-busy", "true");
    const isFirst = !this.#hasLoaded;
    this.#hasLoaded = true;
    this.#scroller.keeping(() => {
      this.#bubbles.add(page.messages);
      byId("beginning").hidden = page.more;
    });
    if (isFirst) this.#begin();
    byId("scroll").setAttribute("aria-busy", "false");
    this.#endMoved();
    this.readIfSeen();
    if (this.#scroller.isNearBeginning) this.#load();
  }

  /** The newest page is here: shows what is new in it first. */
  #begin() {
    const fresh = this.#unreadAtFirst > 0 ? this.#bubbles.firstOfUnread(this.#unreadAtFirst) : undefined;
    this.#scroller.toEnd();
    if (fresh === undefined) return;
    this.#bubbles.setFresh(fresh);
    const line = this.#bubbles.elementOf(fresh);
    if (line.getBoundingClientRect().top < byId("scroll").getBoundingClientRect().top) this.#scroller.to(line);
    this.#seenUpTo = Math.max(this.#seenUpTo, fresh - 1);
  }
}

/** A conversation begins with its first message; before that there is none to read. */
function notBegun({ code }) {
  return code === "forbidden" ? { messages: [], more: false } : undefined;
}
