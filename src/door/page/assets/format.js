// Times, as people say them.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long" });
const shortWeekday = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const shortDate = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "2-digit", year: "2-digit" });

/** 14:05 */
export function clockTime(at) {
  return clock.format(at);
}

/** How many midnights lie between then and now. */
function daysAgo(at, now) {
  const midnight = (time) => new Date(time).setHours(0, 0, 0, 0);
  return Math.round((midnight(now) - midnight(at)) / DAY);
}

/** Today, Yesterday, Monday, 3 May 2026 */
export function dayName(at, now = Date.now()) {
  const days = daysAgo(at, now);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return days > 1 && days < 7 ? weekday.format(at) : date.format(at);
}

/** What tells one day from another. */
export function dayOf(at) {
  return new Date(at).toDateString();
}

/** 14:05, Yesterday, Mon, 03/05/26: short, for a list. */
export function shortTime(at, now = Date.now()) {
  const days = daysAgo(at, now);
  if (days === 0) return clock.format(at);
  if (days === 1) return "Yesterday";
  return days > 1 && days < 7 ? shortWeekday.format(at) : shortDate.format(at);
}

/** last seen 5 minutes ago */
export function lastSeen(at, now = Date.now()) {
  const ago = now - at;
  if (ago < MINUTE) return "last seen just now";
  if (ago < HOUR) return `last seen ${counted(Math.floor(ago / MINUTE), "minute")} ago`;
  if (daysAgo(at, now) === 0) return `last seen today at ${clock.format(at)}`;
  if (daysAgo(at, now) === 1) return `last seen yesterday at ${clock.format(at)}`;
  return `last seen on ${date.format(at)}`;
}

/** 1 message, 2 messages */
export function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Ann, Bob and Cy */
export function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
