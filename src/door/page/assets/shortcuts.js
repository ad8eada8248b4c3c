// What can be done from the keyboard alone.

import { byId } from "./view.js";

export class Shortcuts {
  #on;

  /** @param {{ step: (by: number) => void, leave: () => void }} on */
  constructor(on, signal) {
    this.#on = on;
    document.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    document.addEventListener("click", ({ target }) => closeMenus(target), { signal });
    byId("help-open").addEventListener("click", () => this.#help(), { signal });
    byId("help-close").addEventListener("click", () => byId("help").close(), { signal });
  }

  #pressed(event) {
    if (event.isComposing || document.querySelector("dialog[open]")) return;
    const does = this.#meaning(event);
    if (!does) return;
    event.preventDefault();
    does();
  }

  #meaning({ key, altKey, ctrlKey, metaKey, target }) {
    const isWriting = target.matches?.("input, textarea");
    if ((ctrlKey || metaKey) && key.toLowerCase() === "k") return () => byId("search").focus();
    if (altKey && key === "ArrowDown") return () => this.#on.step(1);
    if (altKey && key === "ArrowUp") return () => this.#on.step(-1);
    if (altKey && key.toLowerCase() === "n") return () => byId("new").click();
    if (key === "?" && !isWriting) return () => this.#help();
    if (key === "Escape") return () => closeMenus() || this.#on.leave();
    return undefined;
  }

  #help() {
    closeMenus();
    byId("help").showModal();
  }
}

/** Closes menus, but not the one in which something happened. Answers whether one was open. */
function closeMenus(within) {
  const open = [...document.querySelectorAll("details.menu[open]")].filter((menu) => !menu.contains(within ?? null));
  for (const menu of open) menu.open = false;
  if (within?.closest?.("[role=menuitem], .menu-items button")) within.closest("details.menu").open = false;
  return open.length > 0;
}
