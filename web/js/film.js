// Pictures out of a film, at chosen times.
import {readUrl, toBlob} from "./attachments.js";

const MOST_SIDE = 1024;

// The middles of `count` equal spans, so that neither a black first picture nor the end is chosen.
export const frameTimes = (duration, count) => Array.from({length: count}, (_, i) => (duration * (i + 0.5)) / count);

const happens = (target, name) => new Promise((resolve, reject) => {
  target.addEventListener(name, resolve, {once: true});
  target.addEventListener("error", () => reject(target.error), {once: true});
});

// [{ time (s), url (JPEG data URL) }] of the film at `url`; `chooseTimes` gets its duration in seconds. Rejects what the
// browser cannot decode; gives none for a film without pictures.
export async function grabFrames(url, chooseTimes) {
  const video = document.createElement("video");
  video.muted = true;
  video.preload = "auto";
  const loaded = happens(video, "loadeddata");
  video.src = url;
  await loaded;
  if (video.videoWidth === 0) return [];
  if (!Number.isFinite(video.duration)) {
    // Recordings of browsers have no duration in their head: seeking far beyond makes the browser find it.
    const known = happens(video, "durationchange");
    video.currentTime = 1e7;
    await known;
  }
  const scale = Math.min(1, MOST_SIDE / Math.max(video.videoWidth, video.videoHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(video.videoWidth * scale));
  canvas.height = Math.max(1, Math.round(video.videoHeight * scale));
  const frames = [];
  for (const time of chooseTimes(video.duration)) {
    const there = happens(video, "seeked");
    video.currentTime = time;
    await there;
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    frames.push({time, url: await readUrl(await toBlob(canvas, "image/jpeg", 0.9))});
  }
  return frames;
}
