// The server's routes. Every failure is an ApiError with the server's own sentence.
import {settings} from "./settings.js";

export class ApiError extends Error {
  constructor(message, status, code, retryAfter) {
    super(message);
    this.status = status;  // 0: no answer at all
    this.code = code;
    this.retryAfter = retryAfter;  // seconds, or null
  }
}

// Asked for when the server wants a key; resolves to whether there is a new one. Set by app.js.
let askForKey = async () => false;
export const onKeyNeeded = handler => {
  askForKey = handler;
};

async function failure(response) {
  let error = null;
  try {
    error = (await response.json()).error;
  } catch {
    // A proxy's page, not this server's answer.
  }
  const message = typeof error === "string" ? error : error?.message ?? `HTTP ${response.status}`;
  return new ApiError(message, response.status, error?.code, Number(response.headers.get("Retry-After")) || null);
}

async function request(path, options = {}) {
  for (;;) {
    const key = settings.apiKey;
    let response;
    try {
      response =
          await fetch(path, {...options, headers: {...options.headers, ...(key ? {Authorization: `Bearer ${key}`} : {})}});
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError("unreachable", 0);
    }
    if (response.ok) return response;
    const error = await failure(response);
    if (error.status !== 401 || !(await askForKey(Boolean(key)))) throw error;
  }
}

const json = async (path, method = "GET", body) =>
    (await request(path, {
      method,
      ...(body === undefined ? {} : {headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)}),
    })).json();

export const models = async () => (await json("/v1/models")).data;
export const version = async () => (await json("/version")).version;

const path = (...parts) => "/api/conversations" + parts.map(part => "/" + encodeURIComponent(part)).join("");
export const conversations = {
  list: async () => (await json(path() + "?limit=200")).conversations,
  get: id => json(path(id)),
  put: (id, title) => json(path(id), "PUT", {title}),
  remove: id => json(path(id), "DELETE"),
  putMessage: (id, message) => json(path(id, "messages", message.id), "PUT", {role: message.role, content: message.content}),
  removeMessage: (id, message) => json(path(id, "messages", message), "DELETE"),
};

export const searchState = () => json("/api/search");
export const search = body => json("/api/search", "POST", body);
// Where the browser finds a file of the server: with a key, which an element cannot send, as an object of its own.
export const mediaUrl = async url => settings.apiKey ? URL.createObjectURL(await (await request(url)).blob()) : url;

// The data of server-sent events, until "[DONE]" or the stream ends. Lines end with LF or CR LF; one event may have several
// data lines (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
export async function* readEvents(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "", data = [];
  try {
    for (;;) {
      const {value, done} = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const raw of lines) {
        const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
        if (line.startsWith("data:")) {
          data.push(line.slice(line.startsWith("data: ") ? 6 : 5));
        } else if (line === "" && data.length > 0) {
          const event = data.join("\n");
          data = [];
          if (event === "[DONE]") return;
          yield event;
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// Goes on with a conversation. Yields { text }, { boxes }, { heats }, { finishReason }, { usage } as they come. Throws ApiError, or an
// AbortError when `signal` says so.
export async function* chat(body, signal) {
  const response = await request("/v1/chat/completions", {
    method: "POST",
    signal,
    headers: {"Content-Type": "application/json"},
    body: JSON.stringify({...body, stream: true, stream_options: {include_usage: true}}),
  });
  for await (const event of readEvents(response.body)) {
    const chunk = JSON.parse(event);
    if (chunk.error) throw new ApiError(chunk.error.message ?? String(chunk.error), 200, chunk.error.code);
    const choice = chunk.choices?.[0];
    if (choice?.delta?.content) yield {text: choice.delta.content};
    if (choice?.delta?.boxes) yield {boxes: choice.delta.boxes};
    if (choice?.delta?.sensorium?.heat) yield {heats: choice.delta.sensorium.heat};
    if (choice?.finish_reason) yield {finishReason: choice.finish_reason};
    if (chunk.usage) yield {usage: chunk.usage};
  }
}
