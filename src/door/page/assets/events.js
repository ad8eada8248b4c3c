// What happened to a group, in words.

/**
 * @param {{ kind: string, user?: string, name?: string, role?: string }} event
 * @param {string} from who did it
 * @param {(user: string) => string} nameOf with "You" for oneself
 */
export function describe({ kind, user, name, role }, from, nameOf) {
  const who = nameOf(from);
  const whom = user === undefined ? "somebody" : lower(nameOf(user));
  switch (kind) {
    case "created":
      return name ? `${who} made the group “${name}”` : `${who} made the group`;
    case "named":
      return `${who} named the group “${name}”`;
    case "added":
      return `${who} added ${whom}`;
    case "removed":
      return `${who} removed ${whom}`;
    case "left":
      return `${who} left`;
    case "role":
      return role === "owner" ? `${who} made ${whom} an owner` : `${who} made ${whom} a member`;
    case "erased":
      return "This message was erased";
    default:
      return undefined;
  }
}

function lower(name) {
  return name === "You" ? "you" : name;
}
