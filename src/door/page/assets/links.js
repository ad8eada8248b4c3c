// Addresses in a text become links; everything else stays text.

import { element } from "./view.js";

/** A web address, without what ends the sentence behind it. */
const ADDRESS = /https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?()[\]{}]/g;

/** The parts of a text: strings and links. */
export function withLinks(text) {
  const parts = [];
  let from = 0;
  for (const { 0: address, index } of text.matchAll(ADDRESS)) {
    const link = linkTo(address);
    if (!link) continue;
    if (index > from) parts.push(text.slice(from, index));
    parts.push(link);
    from = index + address.length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

function linkTo(address) {
  if (!URL.canParse(address) || !["http:", "https:"].includes(new URL(address).protocol)) return undefined;
  const made = element("a", "", address);
  made.href = address;
  made.target = "_blank";
  made.rel = "noopener noreferrer nofollow";
  return made;
}
