// Messages on the page.
import {ApiError} from "./api.js";
import {isMedia, partOf, pictureAt, runOf, textOf} from "./conversation.js";
import {el, iconButton, setIcon} from "./dom.js";
import {duration, number, t} from "./i18n.js";
import {icon} from "./icons.js";
import {MarkdownView} from "./markdown.js";
import {mediaFigure, playTime} from "./media_view.js";
import {pictureFigure} from "./picture.js";
import {settings} from "./settings.js";

function copyButton(text) {
  const button = iconButton("copy", t("copy"), async () => {
    await navigator.clipboard.writeText(text());
    setIcon(button, "check");
    button.setAttribute("aria-label", t("copied"));
    setTimeout(() => {
      setIcon(button, "copy");
      button.setAttribute("aria-label", t("copy"));
    }, 2000);
  });
  return button;
}

export function questionNode(message, {onEdit}) {
  const text = textOf(message), media = message.content.filter?.(isMedia) ?? [];
  return el(
      "li", {class: "message question", data: {id: message.id}}, el("h2", {class: "hidden"}, t("you")),
      media.length > 0 && el("div", {class: "media-row"}, media.map(mediaFigure)), text && el("p", {class: "bubble"}, text),
      el("div", {class: "message-tools"}, text && copyButton(() => text),
         iconButton("edit", t("edit"), () => onEdit(message))));
}

// What went wrong, in a sentence that says what to do.
export function errorText(error) {
  if (!(error instanceof ApiError)) return t("unreadableAnswer", {reason: error.message});
  if (error.message === "unreachable") return t("unreachable");
  if (error.status === 429 && error.retryAfter) return t("busy", {seconds: error.retryAfter});
  if (error.code === "context_length_exceeded") return t("contextFull", {reason: error.message.replace(/[^.]$/, "$&.")});
  return error.message;
}

// One model's answer: grows while it streams, then has its boxes, figures and buttons.
export class AnswerView {
  constructor(message, {messages, onRetry}) {
    this.message = message;
    this.messages = messages;
    this.onRetry = onRetry;
    this.text = el("div", {class: "prose"});
    this.rest = el("div", {class: "after"});
    this.name = el("h2", {class: "model-name"}, runOf(message).model);
    this.element = el("article", {class: "answer", data: {id: message.id}}, this.name, this.text, this.rest);
    this.markdown = new MarkdownView(this.text);
    this.frame = 0;
  }

  // While it comes; at most once per picture of the screen.
  grow() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.#show();
    });
  }

  #show() {
    const text = textOf(this.message), json = runOf(this.message).json;
    this.markdown.show(json && text ? `\`\`\`json\n${text}` : text);
  }

  begin(note) {
    this.element.setAttribute("aria-busy", "true");
    this.rest.replaceChildren(el("p", {class: "working"}, el("span", {class: "pulse"}), note));
  }

  firstText() {
    this.rest.replaceChildren();
  }

  // Everything is there; `last`: the answer may be asked for again.
  finish(last) {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.element.removeAttribute("aria-busy");
    this.#show();
    const run = runOf(this.message);
    this.rest.replaceChildren(
        ...this.#boxes(),
        ...(run.error ? [el("p", {class: "fault", role: "alert"}, icon("attention"), el("span", {}, run.error))] : []),
        ...(run.notes ?? []).map(note => el("p", {class: "note"}, note)),
        ...(run.stopped ? [el("p", {class: "note"}, t("stopped"))] : []),
        ...(run.finish_reason === "length" ? [el("p", {class: "note"}, t("cut"))] : []),
        el("div", {class: "message-tools"}, textOf(this.message) && copyButton(() => textOf(this.message)),
           last && iconButton("retry", t("retry"), () => this.onRetry(this.message), {class: "icon-button retry"}),
           this.#figures(run)));
  }

  // A picture for every one that has boxes or a map of where the answer was found.
  #boxes() {
    const least = settings.values.leastScore, pictures = new Map();
    const add = (kind, found) => {
      const key = JSON.stringify(found.source);
      if (!pictures.has(key)) pictures.set(key, {boxes: [], heats: []});
      pictures.get(key)[kind].push(found);
    };
    for (const box of partOf(this.message, "boxes")?.boxes ?? [])
      if (box.score >= least) add("boxes", box);
    for (const heat of partOf(this.message, "heats")?.heats ?? []) add("heats", heat);
    return [...pictures].flatMap(([key, found]) => {
      const picture = pictureAt(this.messages(), JSON.parse(key));
      if (!picture?.url) return [];
      const name = picture.name || t("picture");
      return [pictureFigure(
          {url: picture.url, name: picture.time === undefined ? name : `${name}, ${playTime(picture.time)}`, ...found})];
    });
  }

  #figures(run) {
    if (!run.total_ms) return null;
    const generated = run.usage?.completion_tokens, parts = [t("total", {time: duration(run.total_ms)})];
    if (run.first_token_ms) parts.push(t("firstToken", {time: duration(run.first_token_ms)}));
    if (run.usage) parts.push(t("tokens", {prompt: number(run.usage.prompt_tokens), generated: number(generated)}));
    // Between the first and the last token, so that reading the prompt does not count.
    const seconds = (run.total_ms - run.first_token_ms) / 1000;
    if (generated > 4 && run.first_token_ms && seconds > 0)
      parts.push(t("speed", {rate: number((generated - 1) / seconds, 1)}));
    return el("span", {class: "figures", title: t("details")}, parts.join(" · "));
  }
}
