// Small helpers for the document. Whatever people wrote becomes text nodes, never markup.

export function byId(id) {
  return document.getElementById(id);
}

/** An element with a class, text and children. */
export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** A button that does something. */
export function button(label, onclick) {
  const made = element("button", "", label);
  made.type = "button";
  made.onclick = onclick;
  return made;
}

/** The time of day, with the date if it was not today. */
export function time(at) {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  const made = element("time", "", isToday ? date.toLocaleTimeString() : date.toLocaleString());
  made.dateTime = date.toISOString();
  return made;
}
