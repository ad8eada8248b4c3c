// Small helpers for the document. Whatever people wrote becomes text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";

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
export function button(label, onclick, className = "") {
  const made = element("button", className, label);
  made.type = "button";
  made.onclick = onclick;
  return made;
}

/** One of the page's pictures, which says nothing by itself. */
export function icon(name) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("class", "icon");
  picture.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  picture.append(use);
  return picture;
}

/** Text for those who do not see the page. */
export function unseen(text) {
  return element("span", "unseen", text);
}

/** Shows text, if it is another than before: so nothing is read out twice. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Makes the children of a parent show these items in this order. Each keeps its element by its key, and with it the
 * focus and the place of whatever was scrolled.
 */
export function arrange(parent, items, { keyOf, make, update }) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const focused = parent.contains(document.activeElement) ? document.activeElement : undefined;
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const child = known.get(key) ?? make(item);
    known.delete(key);
    child.dataset.key = key;
    update?.(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const gone of known.values()) gone.remove();
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}
