// A conversation as a file.
import {soundUrl} from "./attachments.js";
import {isMedia, partOf, pictureAt, runOf, textOf} from "./conversation.js";
import {show} from "./dialogs.js";
import {download, el, toast} from "./dom.js";
import {number, t} from "./i18n.js";

const escapeName = name => (name ?? "").replace(/[[\]\\]/g, "\\$&");

function mediaMarkdown(part) {
  if (part.type === "image_url") return `![${escapeName(part.name)}](${part.image_url.url})`;
  if (part.type === "input_audio") return `[${escapeName(part.name)}](${soundUrl(part)})`;
  return part.frames.map(({time, url}) => `![${escapeName(t("frame", {name: part.name, time: number(time, 1)}))}](${url})`)
      .join("\n");
}

function boxesMarkdown(conversation, boxes) {
  const rows = boxes.map(
      ({label, box, score, source}) => `| ${label.replaceAll("|", "\\|")} | ${
          pictureAt(conversation.messages, source)?.name ?? ""} | ${box.map(Math.round).join(", ")} | ${score.toFixed(2)} |`);
  return [`| ${t("label")} | ${t("picture")} | ${t("boxPlace")} | ${t("score")} |`, "|---|---|---|---:|", ...rows].join("\n");
}

export function toMarkdown(conversation) {
  const pieces = [`# ${conversation.title}`];
  for (const message of conversation.messages) {
    if (message.role === "user") {
      pieces.push(`## ${t("you")}`, ...message.content.filter(isMedia).map(mediaMarkdown), textOf(message));
    } else {
      const run = runOf(message), boxes = partOf(message, "boxes")?.boxes ?? [];
      pieces.push(
          `## ${run.model}`, textOf(message), ...(run.error ? [`> ${run.error}`] : []),
          ...(boxes.length ? [boxesMarkdown(conversation, boxes)] : []));
    }
  }
  return pieces.filter(Boolean).join("\n\n") + "\n";
}

export const toJson = conversation =>
    JSON.stringify({format: "sensorium conversation", version: 1, ...conversation}, null, 2) + "\n";

export function openExport(conversation) {
  if (conversation.messages.length === 0) {
    toast(t("exportEmpty"));
    return;
  }
  const name = conversation.title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60) || "sensorium";
  const save = (ending, type, text) =>
      el("button", {
        class: "button strong",
        type: "button",
        on: {
          click: () => {
            download(`${name}.${ending}`, type, text(conversation));
            dialog.close();
          }
        }
      },
         t(ending === "json" ? "exportJson" : "exportMarkdown"));
  const dialog = show(
      {title: t("exportTitle")}, el("p", {}, t("exportText")),
      el("div", {class: "actions"}, save("json", "application/json", toJson), save("md", "text/markdown", toMarkdown)));
  dialog.querySelector(".actions button").focus();
}
