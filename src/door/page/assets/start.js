// Beginning something: a conversation with a person or the team, or a group.

import { checkUserId, directConversation, supportConversation, TEAM } from "./ids.js";
import { button, byId, element, icon, say, unseen } from "./view.js";

export class Start {
  #world;
  #open;
  #people = [];

  /** @param {(row: object) => void} open opens a conversation */
  constructor(world, open, signal) {
    this.#world = world;
    this.#open = open;
    const on = (id, type, handle) => byId(id).addEventListener(type, handle, { signal });
    on("new", "click", () => this.#show());
    on("empty-new", "click", () => this.#show());
    on("start-here", "click", () => this.#show());
    on("start-cancel", "click", () => byId("start").close());
    on("start-form", "submit", (event) => this.#submit(event));
    on("start-team", "click", () => this.#toTeam());
    on("start-group", "click", () => this.#showGroup());
    on("group-cancel", "click", () => byId("group").close());
    on("group-form", "submit", (event) => this.#make(event));
    on("group-add", "click", () => this.#add());
    on(
      "group-whom",
      "keydown",
      (event) => event.key === "Enter" && !event.isComposing && (event.preventDefault(), this.#add()),
    );
  }

  #show() {
    const { client, people } = this.#world;
    const isSupport = client.policy === "support" && client.role === "user";
    byId("start-form").hidden = isSupport;
    byId("start-group").hidden = isSupport;
    byId("start-team").hidden = client.role === "admin";
    byId("start-as-team-line").hidden = client.role !== "admin";
    say(byId("start-problem"), "");
    suggest(people.known());
    byId("start").showModal();
    byId(isSupport ? "start-team" : "whom").focus();
  }

  async #submit(event) {
    event.preventDefault();
    const { client, people } = this.#world;
    say(byId("start-problem"), "");
    try {
      const person = await this.#find(byId("whom").value.trim());
      people.named(person.user, person.name);
      if (person.user === TEAM) return this.#toTeam();
      const asTeam = client.role === "admin" && byId("start-as-team").checked;
      this.#opened(asTeam ? await this.#desk(person) : await this.#direct(person));
      byId("whom").value = "";
    } catch (error) {
      say(byId("start-problem"), error.message);
    }
    return undefined;
  }

  /** A person by exact id or address; where the server does not look for people, whoever has that id. */
  async #find(text) {
    const { client } = this.#world;
    const isId = /^[A-Za-z0-9_.@|:+-]{1,64}$/.test(text);
    if (!isId && !text.includes("@")) checkUserId(text);
    if (client.lacks("find") || text === client.user) return { user: checkUserId(text), name: text };
    const asked = async (question) => client.find(question).catch((error) => error);
    let found = isId ? await asked({ user: text }) : undefined;
    if (text.includes("@") && (!found || found.code === "forbidden")) found = await asked({ email: text });
    if (found.code === "bad_frame") return { user: checkUserId(text), name: text };
    if (found.code === "forbidden") throw new Error("Nobody of that id or address has been here yet.");
    if (found instanceof Error) throw found;
    return found;
  }

  async #direct({ user, name }) {
    const { client } = this.#world;
    const conversation = await directConversation(client.user, user);
    const members =
      user === client.user
        ? [{ user, name }]
        : [
            { user: client.user, name: client.user },
            { user, name },
          ];
    return { conversation, kind: "direct", members };
  }

  async #desk({ user, name }) {
    const conversation = await supportConversation(user);
    return {
      conversation,
      kind: "support",
      members: [
        { user, name },
        { user: TEAM, name: TEAM },
      ],
    };
  }

  async #toTeam() {
    const { user } = this.#world.client;
    this.#opened(await this.#desk({ user, name: user }));
  }

  #opened(row) {
    byId("start").close();
    this.#open(row);
  }

  // A group

  #showGroup() {
    byId("start").close();
    this.#people = [];
    byId("group-form").reset();
    say(byId("group-problem"), "");
    this.#showPeople();
    suggest(this.#world.people.known());
    byId("group").showModal();
    byId("group-name").focus();
  }

  async #add() {
    const field = byId("group-whom");
    const texts = field.value.split(/[\s,;]+/).filter(Boolean);
    say(byId("group-problem"), "");
    try {
      for (const text of texts) {
        const person = await this.#find(text);
        this.#world.people.named(person.user, person.name);
        if (person.user !== this.#world.client.user && !this.#people.includes(person.user))
          this.#people.push(person.user);
      }
      field.value = "";
    } catch (error) {
      say(byId("group-problem"), error.message);
    }
    this.#showPeople();
    field.focus();
  }

  #showPeople() {
    const { people } = this.#world;
    const chip = (user) => {
      const remove = button("", () => {
        this.#people = this.#people.filter((other) => other !== user);
        this.#showPeople();
        byId("group-whom").focus();
      });
      remove.append(icon("close"), unseen(`Do not add ${people.nameOf(user)}`));
      return element("li", "chip", people.nameOf(user), remove);
    };
    byId("group-people").replaceChildren(...this.#people.map(chip));
  }

  async #make(event) {
    event.preventDefault();
    await this.#add();
    if (byId("group-problem").textContent !== "") return;
    const { client } = this.#world;
    const name = byId("group-name").value.trim();
    const members = this.#people;
    byId("group-make").disabled = true;
    try {
      const conversation = await client.group({
        action: "create",
        name,
        members,
        history: byId("group-history").checked,
      });
      byId("group").close();
      const row = (user) => ({ user, name: user, ...(user === client.user ? { role: "owner" } : {}) });
      this.#open({ conversation, kind: "group", name, members: [client.user, ...members].map(row) });
    } catch ({ code, message }) {
      say(byId("group-problem"), code === "bad_frame" ? "This server has no groups." : message);
    } finally {
      byId("group-make").disabled = false;
    }
  }
}

/** Offers these ids while one is written. */
function suggest(users) {
  byId("known-people").replaceChildren(
    ...users.slice(0, 200).map((user) => Object.assign(element("option", ""), { value: user })),
  );
}
