// A picture of somebody, made from their name and the colour of their id.

import { element } from "./view.js";

/** How many colours the style sheet has. */
const COLOURS = 10;

/** A round picture. Who it is is said beside it. */
export function avatar(id, name, { online } = {}) {
  const made = element("span", "avatar");
  made.setAttribute("aria-hidden", "true");
  update(made, id, name, online);
  return made;
}

/** Makes it show somebody else, or the same one changed. */
export function update(made, id, name, online) {
  const dot = online ? "dot" : "";
  const shown = `${id} ${name} ${dot}`;
  if (made.dataset.shown === shown) return;
  made.dataset.shown = shown;
  made.className = `avatar colour-${colourOf(id)}`;
  made.replaceChildren(initials(name), ...(dot ? [element("span", dot)] : []));
}

/** One of the colours, always the same for the same id. */
export function colourOf(id) {
  let hash = 7;
  for (const character of id) hash = (hash * 31 + character.codePointAt(0)) % 65_521;
  return hash % COLOURS;
}

/** One or two letters. */
export function initials(name) {
  const words = name.split(/[\s._@|:+-]+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[1]] : [words[0] ?? name];
  return (
    letters
      .map((word) => [...word][0] ?? "")
      .join("")
      .toUpperCase() || "?"
  );
}
