// What a conversation is: messages of parts as OpenAI's API has them, with members of the page's own where it needs more:
//   user       text | image_url + name | video_url + name + frames [{ time, url }] | input_audio + name
//   assistant  text, boxes [{ label, box, score, source: { message, part, frame } }],
//              heats [{ label, rows, columns, values, source }], run { model, column, … }
// `column` is 0 or 1: of two models that are compared, which one.
import {newId} from "./dom.js";

export const newConversation = () => ({id: newId("c"), title: "", messages: []});
export const newMessage = (role, content) => ({id: newId("m"), role, content});

export const textOf = message =>
    (typeof message.content === "string" ?
         message.content :
         message.content.filter(part => part.type === "text").map(part => part.text).join("\n\n"));
export const partOf = (message, type) => message.content.find?.(part => part.type === type) ?? null;
export const runOf = message => partOf(message, "run") ?? {model: "", column: 0};
export const isMedia = part => ["image_url", "video_url", "input_audio"].includes(part.type);

// [{ question, answers }] in order.
export function turnsOf(messages) {
  const turns = [];
  for (const message of messages) {
    if (message.role === "user")
      turns.push({question: message, answers: []});
    else if (message.role === "assistant")
      turns.at(-1)?.answers.push(message);
  }
  // Answers that were made at once are kept in the order in which they ended.
  for (const {answers} of turns) answers.sort((a, b) => runOf(a).column - runOf(b).column);
  return turns;
}

export function titleFor(message) {
  const text = textOf(message).replace(/\s+/g, " ").trim() || message.content.find(isMedia)?.name || "";
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

// What a model takes, or null where it has not said yet.
export const sensesOf = model => (model?.details?.modalities_in ? new Set(model.details.modalities_in) : null);
const SENSE = {
  image_url: "image",
  video_url: "video",
  input_audio: "audio"
};

// How a part goes to a model: "whole", "frames" (a film as pictures) or "kept" (not sent).
export function wayOf(part, senses) {
  const sense = SENSE[part.type];
  if (part.type === "video_url" && (!part.video_url || (senses && !senses.has("video"))))
    return !senses || senses.has("image") ? "frames" : "kept";
  return !sense || !senses || senses.has(sense) ? "whole" : "kept";
}

function questionParts(message, senses, sources) {
  const parts = [];
  message.content.forEach((part, index) => {
    if (part.type === "text") parts.push({type: "text", text: part.text});
    if (!isMedia(part)) return;
    const way = wayOf(part, senses);
    if (way === "frames") {
      part.frames.forEach((frame, i) => {
        parts.push({type: "image_url", image_url: {url: frame.url}});
        sources.push({message: message.id, part: index, frame: i});
      });
    } else if (way === "whole") {
      parts.push({type: part.type, [part.type]: part[part.type]});
      if (part.type === "image_url") sources.push({message: message.id, part: index, frame: null});
    }
  });
  return parts;
}

// The body of POST /v1/chat/completions that asks `model` to answer the last turn, and where each picture that it sends comes
// from (the server's boxes count pictures).
export function requestOf(turns, model, column, settings) {
  const senses = sensesOf(model), sources = [], messages = [];
  if (settings.system.trim()) messages.push({role: "system", content: settings.system});
  turns.forEach(({question, answers}, i) => {
    const parts = questionParts(question, senses, sources);
    // A question that got no answer belongs to the next one: chat templates want the roles in turn.
    if (messages.at(-1)?.role === "user") {
      messages.at(-1).content.push(...parts);
    } else if (parts.length > 0) {
      messages.push({role: "user", content: parts});
    }
    if (i === turns.length - 1 || parts.length === 0) return;
    const answer = answers.find(message => runOf(message).column === column && textOf(message)) ?? answers.find(textOf);
    if (answer) messages.push({role: "assistant", content: textOf(answer)});
  });
  const body = {model: model.id, messages, sensorium: {heat: sources.length > 0}};
  if (settings.temperature !== null) body.temperature = settings.temperature;
  if (settings.topP !== null) body.top_p = settings.topP;
  if (settings.maxTokens !== null) body.max_completion_tokens = settings.maxTokens;
  if (settings.seed !== null) body.seed = settings.seed;
  if (settings.schema.trim())
    body.response_format = {type: "json_schema", json_schema: {name: "answer", schema: JSON.parse(settings.schema)}};
  return {body, sources, empty: messages.at(-1)?.role !== "user"};
}

// The picture that a box lies on: { url, name }, or null if it is gone.
export function pictureAt(messages, source) {
  const part = messages.find(message => message.id === source?.message)?.content[source.part];
  if (!part) return null;
  return {
    url: source.frame === null ? part.image_url?.url : part.frames?.[source.frame]?.url,
    name: part.name,
    time: part.frames?.[source.frame]?.time
  };
}
