// Says something in passing, at the lower edge.

import { byId } from "./view.js";

/** How long it stays, in milliseconds. */
const STAYS = 6_000;

let timer;

export function note(text) {
  const place = byId("note");
  clearTimeout(timer);
  place.textContent = text;
  place.classList.add("shown");
  timer = setTimeout(() => {
    place.classList.remove("shown");
    place.textContent = "";
  }, STAYS);
}
