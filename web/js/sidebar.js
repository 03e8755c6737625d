// The list of conversations.
import {ask} from "./dialogs.js";
import {$, el, iconButton, toast} from "./dom.js";
import {date, t} from "./i18n.js";
import {errorText} from "./message_view.js";
import {store} from "./store.js";

const DAY_S = 86_400;

function ageOf(seconds) {
  const midnight = new Date().setHours(0, 0, 0, 0) / 1000;
  return seconds >= midnight ? "today" : seconds >= midnight - 6 * DAY_S ? "week" : "older";
}

export class Sidebar {
  #found = null;  // ids that a search left; null: all
  #search = null;

  constructor(chat) {
    this.chat = chat;
    store.addEventListener("changed", () => this.show());
    chat.addEventListener("opened", () => this.show());
    $("new-chat").addEventListener("click", () => {
      chat.begin();
      this.close();
      $("question").focus();
    });
    let timer = 0;
    $("find").addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#find($("find").value.trim()), 200);
    });
    $("open-sidebar").addEventListener("click", () => this.open());
    $("close-sidebar").addEventListener("click", () => this.close());
    $("veil").addEventListener("click", () => this.close());
  }

  // On narrow screens the list lies over the page, which then cannot be reached.
  open() {
    document.body.classList.add("with-sidebar");
    $("veil").hidden = false;
    $("page").inert = true;
    $("open-sidebar").setAttribute("aria-expanded", "true");
    $("close-sidebar").focus();
  }

  close() {
    if (!this.isOpen) return false;
    document.body.classList.remove("with-sidebar");
    $("veil").hidden = true;
    $("page").inert = false;
    $("open-sidebar").setAttribute("aria-expanded", "false");
    $("open-sidebar").focus();
    return true;
  }

  get isOpen() {
    return document.body.classList.contains("with-sidebar");
  }

  async #find(query) {
    this.#search?.abort();
    this.#search = new AbortController();
    const {signal} = this.#search;
    const found = query ? new Set(await store.find(query, signal)) : null;
    if (signal.aborted) return;
    this.#found = found;
    $("find-status").textContent = !found ? "" : found.size ? t("found", {count: found.size}) : t("noneFound");
    this.show();
  }

  show() {
    const entries = store.list.filter(({id}) => !this.#found || this.#found.has(id));
    $("conversation-list").replaceChildren(...["today", "week", "older"].flatMap(age => {
      const those = entries.filter(entry => ageOf(entry.updated_at) === age);
      return those.length === 0 ?
          [] :
          [el("h2", {}, t(age)), el("ul", {"aria-label": t(age)}, those.map(entry => this.#entry(entry)))];
    }));
    $("storage-note").hidden = store.kept;
    $("storage-note").textContent = t("notKept");
  }

  #entry({id, title, updated_at: updated}) {
    const name = title || t("untitled"), open = id === this.chat.conversation.id;
    return el(
        "li", {class: open ? "entry open" : "entry", data: {id}},
        el("button", {
          class: "entry-title",
          type: "button",
          "aria-current": open ? "true" : null,
          title: `${name} · ${date(updated)}`,
          on: {
            click: async () => {
              await this.chat.open(id);
              this.close();
              $("question").focus();
            }
          }
        },
           name),
        iconButton("edit", `${t("rename")}: ${name}`, () => this.#rename(id, name)),
        iconButton("trash", `${t("remove")}: ${name}`, () => this.#remove(id, name)));
  }

  async #rename(id, name) {
    const input =
        el("input", {type: "text", value: name, maxlength: 120, required: true, "aria-label": t("newTitle", {title: name})});
    if (!(await ask({title: t("rename"), fields: [input], action: t("save")})) || !input.value.trim()) return;
    await this.#try
      (store.rename(id, input.value.trim()));
    if (id !== this.chat.conversation.id) return;
    this.chat.conversation.title = input.value.trim();
    $("chat-title").textContent = input.value.trim();
  }

  async #remove(id, name) {
    if (!(await ask({title: t("removeTitle", {title: name}), text: t("removeText"), action: t("remove"), danger: true})))
      return;
    if (id === this.chat.conversation.id) this.chat.begin();
    await this.#try
      (store.remove(id));
    $("new-chat").focus();
  }

#try (work) {
  return work.catch(error => toast(t("notSaved", {reason: errorText(error)})));
}
}
