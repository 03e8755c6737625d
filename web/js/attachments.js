// Files as parts of a message. What the server reads is sent as it is; other formats that the browser can read are converted
// here (pictures to PNG or JPEG, sound to WAV).
import {frameTimes, grabFrames} from "./film.js";
import {decodeSound, toWav} from "./sound.js";

const SENT_PICTURES = ["image/jpeg", "image/png", "image/webp"];
// By the names that browsers have for them; of a container that may hold a film too, a sound alone has been found in it.
const SENT_SOUNDS = {
  "wav": "wav",
  "x-wav": "wav",
  "wave": "wav",
  "mpeg": "mp3",
  "ogg": "ogg",
  "webm": "webm",
  "mp4": "m4a",
  "x-m4a": "m4a",
  "flac": "flac",
  "x-flac": "flac"
};
const SOUND_TYPES = {
  mp3: "mpeg",
  m4a: "mp4"
};
const MOST_PIXELS = 40_000_000;  // a picture beyond is made smaller; the server's own limit is 50 million
// A third more in base64: under the server's 64 MB. A larger film is sent as pictures.
export const MOST_BYTES = 45e6;

export class UnreadableFile extends Error {}
export class TooLargeFile extends Error {}

export const readUrl = blob => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result);
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(blob);
});

export function toBlob(canvas, type, quality) {
  return new Promise(
      (resolve, reject) => canvas.toBlob(blob => (blob ? resolve(blob) : reject(new UnreadableFile())), type, quality));
}

export function loadImage(url) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new UnreadableFile());
    image.src = url;
  });
}

async function pictureParts(file) {
  const url = URL.createObjectURL(file);
  try {
    const image = await loadImage(url);
    const width = image.naturalWidth || 1024, height = image.naturalHeight || 1024;
    const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
    if (scale === 1 && SENT_PICTURES.includes(file.type))
      return {type: "image_url", name: file.name, image_url: {url: await readUrl(file)}};
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.floor(width * scale));
    canvas.height = Math.max(1, Math.floor(height * scale));
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    // Photographs come in lossy formats, drawings in lossless ones.
    const lossy = /jpeg|hei[cf]|avif|webp/.test(file.type);
    const blob = await toBlob(canvas, lossy ? "image/jpeg" : "image/png", 0.92);
    return {type: "image_url", name: file.name, image_url: {url: await readUrl(blob)}};
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function soundParts(file) {
  const decoded = await decodeSound(await file.arrayBuffer()).catch(() => {
    throw new UnreadableFile();
  });
  const known = SENT_SOUNDS[file.type.split(";")[0].split("/")[1]];
  const blob = known ? file : toWav(decoded.getChannelData(0), decoded.sampleRate);
  const url = await readUrl(blob);
  return {type: "input_audio", name: file.name, input_audio: {data: url.slice(url.indexOf(",") + 1), format: known ?? "wav"}};
}

async function filmParts(file, count) {
  const url = URL.createObjectURL(file);
  try {
    const frames = await grabFrames(url, duration => frameTimes(duration, count)).catch(() => {
      throw new UnreadableFile();
    });
    // Recorders of sound write the containers of films.
    if (frames.length === 0) return await soundParts(file);
    const part = {type: "video_url", name: file.name, frames};
    if (file.size <= MOST_BYTES) part.video_url = {url: await readUrl(file)};
    return part;
  } finally {
    URL.revokeObjectURL(url);
  }
}

export function kindOf(file) {
  const kind = file.type.split("/")[0];
  return ["image", "audio", "video"].includes(kind) ? kind : null;
}

// The part of a message that a file becomes: image_url, video_url with `frames`, or input_audio; each with its name. Throws
// UnreadableFile, TooLargeFile.
export async function readAttachment(file, frames) {
  const kind = kindOf(file);
  if (kind === null) throw new UnreadableFile();
  if (kind === "video") return filmParts(file, frames);
  if (file.size > MOST_BYTES) throw new TooLargeFile();
  return kind === "image" ? pictureParts(file) : soundParts(file);
}

export const soundUrl = ({input_audio: {data, format}}) => `data:audio/${SOUND_TYPES[format] ?? format};base64,${data}`;
