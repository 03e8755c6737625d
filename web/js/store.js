// Where conversations are kept: on the server; in this page alone if the server keeps none.
import {conversations as server} from "./api.js";
import {textOf} from "./conversation.js";

class Store extends EventTarget {
  list = [];    // { id, title, updated_at }, the last changed first
  kept = true;  // by the server
  #memory = new Map();
  #texts = new Map();  // id → { updated_at, text } of conversations that were looked through
  #saving = Promise.resolve();

  async load() {
    try {
      this.list = await server.list();
    } catch (error) {
      // 501: a server without database. 404: one without these routes.
      if (error.status !== 501 && error.status !== 404) throw error;
      this.kept = false;
    }
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("changed"));
  }

  #touch(conversation) {
    const entry = {id: conversation.id, title: conversation.title, updated_at: Math.floor(Date.now() / 1000)};
    this.list = [entry, ...this.list.filter(other => other.id !== conversation.id)];
    if (!this.kept) this.#memory.set(conversation.id, conversation);
    this.#changed();
  }

  // One after another, so that messages reach the server in their order; a failure does not stop those that follow.
  #write(work) {
    if (!this.kept) return Promise.resolve();
    const done = this.#saving.then(work);
    this.#saving = done.catch(() => {});
    return done;
  }

  async open(id) {
    if (!this.kept) return this.#memory.get(id);
    await this.#saving;
    const {title, messages} = await server.get(id);
    return {id, title, messages: messages.map(({id: message, role, content}) => ({id: message, role, content}))};
  }

  saveTitle(conversation) {
    this.#touch(conversation);
    return this.#write(() => server.put(conversation.id, conversation.title));
  }

  saveMessage(conversation, message) {
    this.#touch(conversation);
    return this.#write(() => server.putMessage(conversation.id, message));
  }

  removeMessages(conversation, messages) {
    return this.#write(() => Promise.all(messages.map(message => server.removeMessage(conversation.id, message.id))));
  }

  rename(id, title) {
    const entry = this.list.find(other => other.id === id);
    entry.title = title;
    const inMemory = this.#memory.get(id);
    if (inMemory) inMemory.title = title;
    this.#changed();
    return this.#write(() => server.put(id, title));
  }

  remove(id) {
    this.list = this.list.filter(entry => entry.id !== id);
    this.#memory.delete(id);
    this.#changed();
    return this.#write(() => server.remove(id));
  }

  // The ids whose title or messages hold all words of `query`; a conversation is fetched once, and again only when it has
  // changed.
  async find(query, signal) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean), found = [];
    const holds = text => words.every(word => text.includes(word));
    for (const entry of this.list) {
      if (signal.aborted) return found;
      let known = this.#texts.get(entry.id);
      if (!holds(entry.title.toLowerCase()) && known?.updated_at !== entry.updated_at) {
        const whole = await this.open(entry.id).catch(() => null);
        known = {updated_at: entry.updated_at, text: (whole?.messages ?? []).map(textOf).join("\n").toLowerCase()};
        this.#texts.set(entry.id, known);
      }
      if (holds(`${entry.title.toLowerCase()}\n${known?.text ?? ""}`)) found.push(entry.id);
    }
    return found;
  }
}

export const store = new Store();
