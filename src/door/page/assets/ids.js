// Ids: what is one, and those of conversations, which follow from who is in them. See "Values" in docs/protocol.md.

/** The one member of a support conversation besides the person who asks. */
export const TEAM = "team";

/** What no person wrote is from here. */
export const SYSTEM = "system";

/** The text, if it is a user id. */
export function checkUserId(text) {
  if (!/^[A-Za-z0-9_.@|:+-]{1,64}$/.test(text)) {
    throw new TypeError("a user id is 1 to 64 of the characters A-Z a-z 0-9 _ . @ | : + -");
  }
  return text;
}

/** The text, if it is a conversation id. */
export function checkConversationId(text) {
  if (!/^[0-9a-f]{32}$/.test(text)) throw new TypeError("a conversation id is 32 hexadecimal digits");
  return text;
}

/** The id of the direct conversation of two people, whichever of them asks. Needs a secure context, as all of these. */
export function directConversation(one, other) {
  const [low, high] = [checkUserId(one), checkUserId(other)].sort();
  return named("direct", low, high);
}

/** The id of a person's conversation with the team. */
export function supportConversation(user) {
  return named("support", checkUserId(user));
}

/** The id of the group that this person makes with a request of this key. */
export function groupConversation(creator, key) {
  return named("group", checkUserId(creator), key);
}

/** A new key for a message. */
export function newKey() {
  return hex(crypto.getRandomValues(new Uint8Array(16)));
}

async function named(...parts) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(parts.join("\0")));
  return hex(new Uint8Array(digest, 0, 16));
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
