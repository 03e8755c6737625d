// The field for questions and what is attached to them.
import {MOST_BYTES, readAttachment, TooLargeFile} from "./attachments.js";
import {recordSound, takePicture} from "./capture.js";
import {isMedia, textOf} from "./conversation.js";
import {$, el, iconButton, toast} from "./dom.js";
import {number, t} from "./i18n.js";
import {icon} from "./icons.js";
import {settings} from "./settings.js";

const ICONS = {
  image_url: "picture",
  video_url: "film",
  input_audio: "sound"
};

export class Composer {
  #parts = [];       // in their order; { name, reading } while a file is being read
  #replaced = null;  // the question that is being changed

  // `send(parts, replaced)`; `running()`: whether an answer is being made.
  constructor({send, stop, running, editLast}) {
    this.send = send;
    this.running = running;
    const field = $("question");
    $("composer").addEventListener("submit", event => {
      event.preventDefault();
      this.submit();
    });
    field.addEventListener("input", () => this.#fit());
    field.addEventListener("keydown", event => {
      // 229: an input method is composing; its Enter only chooses.
      if (event.isComposing || event.keyCode === 229) return;
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        this.submit();
      } else if (event.key === "ArrowUp" && field.value === "" && this.#parts.length === 0) {
        event.preventDefault();
        editLast();
      }
    });
    $("stop").addEventListener("click", stop);
    $("attach").addEventListener("click", () => $("files").click());
    $("files").addEventListener("change", () => {
      this.add($("files").files);
      $("files").value = "";
    });
    $("camera").addEventListener("click", async () => this.add([await takePicture()].filter(Boolean)));
    $("microphone").addEventListener("click", async () => this.add([await recordSound()].filter(Boolean)));
    $("cancel-edit").addEventListener("click", () => this.clear());
    this.#takeDrops();
    document.addEventListener("paste", event => {
      if (event.clipboardData.files.length === 0 || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      this.add(event.clipboardData.files);
    });
  }

  get editing() {
    return this.#replaced !== null;
  }

  focus() {
    $("question").focus();
  }

  showRunning() {
    const running = this.running(), focused = document.activeElement;
    $("send").hidden = running;
    $("stop").hidden = !running;
    if (running && focused === $("send")) $("stop").focus();
    if (!running && focused === $("stop")) $("send").focus();
  }

  submit() {
    const text = $("question").value.trim(), parts = this.#parts, replaced = this.#replaced;
    if (this.running() || (!text && parts.length === 0) || parts.some(part => part.reading)) return;
    this.clear();
    this.send([...parts, ...(text ? [{type: "text", text}] : [])], replaced);
  }

  clear() {
    $("question").value = "";
    this.#parts = [];
    this.#replaced = null;
    $("editing").hidden = true;
    this.#fit();
    this.#list();
  }

  // An earlier question, to be changed.
  edit(message) {
    this.#parts = message.content.filter(isMedia);
    this.#replaced = message;
    $("question").value = textOf(message);
    $("editing").hidden = false;
    this.#fit();
    this.#list();
    this.focus();
  }

  fill(text) {
    $("question").value = text;
    this.#fit();
  }

  async add(files) {
    await Promise.all([...files].map(async file => {
      const place = {name: file.name, reading: true};
      this.#parts.push(place);
      const at = () => this.#parts.indexOf(place);
      this.#list();
      try {
        const part = await readAttachment(file, settings.values.frames);
        if (at() >= 0) this.#parts[at()] = part;
      } catch (error) {
        if (at() >= 0) this.#parts.splice(at(), 1);
        toast(
            error instanceof TooLargeFile ?
                t("tooLarge", {name: file.name, size: number(file.size / 1e6, 1), most: number(MOST_BYTES / 1e6)}) :
                t("unreadable", {name: file.name}));
      }
      this.#list();
    }));
    this.focus();
  }

  #list() {
    const list = $("attachments");
    list.hidden = this.#parts.length === 0;
    list.replaceChildren(...this.#parts.map(
        part =>
            el("li", {class: part.reading ? "attachment reading" : "attachment"},
               part.reading                  ? el("span", {class: "pulse"}) :
                   part.type === "image_url" ? el("img", {src: part.image_url.url, alt: ""}) :
                   part.frames               ? el("img", {src: part.frames[0].url, alt: ""}) :
                                               icon(ICONS[part.type]),
               el("span", {class: "attachment-name"}, part.reading ? t("reading", {name: part.name}) : part.name),
               !part.reading && iconButton("close", t("detach", {name: part.name}), () => {
                 this.#parts.splice(this.#parts.indexOf(part), 1);
                 this.#list();
                 this.focus();
               }))));
  }

  #fit() {
    const field = $("question");
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight, 0.4 * innerHeight)}px`;
  }

  #takeDrops() {
    let depth = 0;
    const target = $("drop-target"), holdsFiles = event => event.dataTransfer?.types.includes("Files");
    const over = change => {
      depth = Math.max(0, depth + change);
      target.hidden = depth === 0;
    };
    addEventListener("dragenter", event => holdsFiles(event) && over(1));
    addEventListener("dragleave", event => holdsFiles(event) && over(-1));
    addEventListener("dragover", event => holdsFiles(event) && event.preventDefault());
    addEventListener("drop", event => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      over(-depth);
      this.add(event.dataTransfer.files);
    });
  }
}
