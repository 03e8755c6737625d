// The conversation that is open: asks, streams, stops, asks again.
import {chat as askServer} from "./api.js";
import {isMedia, newConversation, newMessage, partOf, requestOf, runOf, sensesOf, textOf, titleFor, turnsOf, wayOf} from "./conversation.js";
import {$, announce, el, toast} from "./dom.js";
import {t} from "./i18n.js";
import {AnswerView, errorText, questionNode} from "./message_view.js";
import {settings} from "./settings.js";
import {store} from "./store.js";

// What a model does not get of a question, in words.
function notesOf(question, model) {
  const senses = sensesOf(model), notes = [];
  for (const part of question.content.filter(isMedia)) {
    const way = wayOf(part, senses), kind = {image_url: "image", video_url: "video", input_audio: "audio"}[part.type];
    if (way === "kept") notes.push(t("noSense", {model: model.id, sense: t(`sense_${kind}`)}));
    if (way === "frames") notes.push(t("filmAsFrames", {model: model.id, count: part.frames.length}));
  }
  return [...new Set(notes)];
}

// Events: "running" (an answer begins or ends), "opened" (another conversation), "edit" (detail: the question).
export class Chat extends EventTarget {
  conversation = newConversation();
  #models;
  #running = new Map();  // id of the answer → AbortController
  #views = new Map();    // id of the answer → AnswerView

  // `models()`: the known models by name.
  constructor(models) {
    super();
    this.#models = models;
  }

  get running() {
    return this.#running.size > 0;
  }

  get turns() {
    return turnsOf(this.conversation.messages);
  }

  begin() {
    this.#open(newConversation());
  }

  async open(id) {
    try {
      this.#open(await store.open(id));
    } catch (error) {
      toast(t("loadFailed", {reason: errorText(error)}));
    }
  }

  #open(conversation) {
    this.stop();
    this.conversation = conversation;
    this.render();
    this.dispatchEvent(new Event("opened"));
  }

  render() {
    this.#views.clear();
    $("messages").replaceChildren(...this.turns.flatMap(turn => this.#nodesOf(turn)));
    $("welcome").hidden = this.conversation.messages.length > 0;
    $("chat-title").textContent = this.conversation.title || t("newChat");
    this.#toEnd();
    // Pictures find their height only when they are decoded.
    const {conversation} = this, images = [...$("messages").querySelectorAll("img")];
    Promise.allSettled(images.map(image => image.decode())).then(() => conversation === this.conversation && this.#toEnd());
  }

  #nodesOf({question, answers}) {
    const views = answers.map(answer => this.#viewOf(answer));
    const last = question === this.turns.at(-1).question;
    for (const view of views)
      if (!this.#running.has(view.message.id)) view.finish(last);
    return [
      questionNode(question, {onEdit: message => this.dispatchEvent(new CustomEvent("edit", {detail: message}))}),
      el("li", {class: views.length > 1 ? "message answers two" : "message answers", data: {of: question.id}},
         views.map(view => view.element))
    ];
  }

  #viewOf(message) {
    const view = new AnswerView(message, {messages: () => this.conversation.messages, onRetry: answer => this.retry(answer)});
    this.#views.set(message.id, view);
    return view;
  }

  #toEnd() {
    const chat = $("chat");
    chat.scrollTop = chat.scrollHeight;
  }

  // The question of `parts`, in place of `replaced` and all that followed it, if given.
  async send(parts, replaced = null) {
    const {conversation} = this;
    if (replaced) {
      const at = conversation.messages.indexOf(replaced);
      this.#save(store.removeMessages(conversation, conversation.messages.splice(at)));
    }
    const question = newMessage("user", parts);
    conversation.messages.push(question);
    if (!conversation.title || conversation.messages.length === 1) {
      conversation.title = titleFor(question) || t("untitled");
      this.#save(store.saveTitle(conversation));
    }
    this.#save(store.saveMessage(conversation, question));
    this.render();
    const names = [settings.values.model, ...(settings.values.compare ? [settings.values.secondModel] : [])];
    await Promise.all(names.map((name, column) => this.#answer(name, column)));
  }

  // Asks the same model the last question once more.
  async retry(answer = this.turns.at(-1)?.answers.at(-1)) {
    if (!answer || this.running) return;
    const {model, column} = runOf(answer), {messages} = this.conversation;
    messages.splice(messages.indexOf(answer), 1);
    this.#save(store.removeMessages(this.conversation, [answer]));
    await this.#answer(this.#models().has(model) ? model : settings.values.model, column, this.#views.get(answer.id));
  }

  stop() {
    for (const controller of this.#running.values()) controller.abort();
  }

  async #answer(name, column, replaced = null) {
    const {conversation} = this, model = this.#models().get(name) ?? {id: name};
    const question = this.turns.at(-1).question;
    const run = {type: "run", model: name, column, notes: notesOf(question, model)};
    const message = newMessage("assistant", [{type: "text", text: ""}, run]);
    conversation.messages.push(message);
    const view = this.#viewOf(message);
    this.#place(view, question, replaced);
    const controller = new AbortController();
    this.#running.set(message.id, controller);
    this.dispatchEvent(new Event("running"));
    view.begin(t(model.state && model.state !== "loaded" ? "waiting" : "working"));
    announce(t("working"));
    this.#toEnd();
    const begun = performance.now();
    try {
      await this.#stream(message, run, model, column, view, controller.signal);
    } catch (error) {
      if (error.name === "AbortError")
        run.stopped = true;
      else
        run.error = errorText(error);
    }
    run.total_ms = Math.round(performance.now() - begun);
    this.#running.delete(message.id);
    if (this.conversation === conversation) {
      const following = this.#nearEnd();
      view.finish(true);
      if (following) this.#toEnd();
      announce(run.error ?? (run.stopped ? t("stopped") : t("answered", {model: name, text: textOf(message)})));
    }
    this.dispatchEvent(new Event("running"));
    this.#save(store.saveMessage(conversation, message));
  }

  async #stream(message, run, model, column, view, signal) {
    const {body, sources, empty} = requestOf(this.turns, model, column, settings.values);
    if (empty) {
      run.error = t("nothingToSend", {model: model.id});
      return;
    }
    if (body.response_format) run.json = true;
    const begun = performance.now();
    for await (const piece of askServer(body, signal)) {
      if (piece.text) {
        if (!run.first_token_ms) {
          run.first_token_ms = Math.max(1, Math.round(performance.now() - begun));
          view.firstText();
        }
        const following = this.#nearEnd();
        message.content[0].text += piece.text;
        view.grow();
        if (following) requestAnimationFrame(() => this.#toEnd());
      }
      if (piece.boxes) {
        const boxes = piece.boxes.map(({picture, ...box}) => ({...box, source: sources[picture] ?? null}));
        message.content.splice(1, 0, {type: "boxes", boxes});
      }
      if (piece.heats) {
        const heats = piece.heats.map(({picture, ...heat}) => ({...heat, source: sources[picture] ?? null}));
        message.content.splice(1, 0, {type: "heats", heats});
      }
      if (piece.finishReason) run.finish_reason = piece.finishReason;
      if (piece.usage) run.usage = {prompt_tokens: piece.usage.prompt_tokens, completion_tokens: piece.usage.completion_tokens};
    }
  }

  #place(view, question, replaced) {
    const row = $("messages").querySelector(`[data-of="${question.id}"]`);
    if (replaced)
      replaced.element.replaceWith(view.element);
    else
      row.append(view.element);
    row.classList.toggle("two", row.children.length > 1);
  }

  #nearEnd() {
    const chat = $("chat");
    return chat.scrollHeight - chat.scrollTop - chat.clientHeight < 80;
  }

  #save(saving) {
    saving.catch(error => toast(t("notSaved", {reason: errorText(error)})));
  }

  // Another choice of what is drawn: the boxes of all answers anew.
  redraw() {
    const last = this.turns.at(-1);
    for (const view of this.#views.values())
      if (!this.#running.has(view.message.id) && partOf(view.message, "run")) view.finish(last.answers.includes(view.message));
  }
}
