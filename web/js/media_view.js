// How pictures, films and sounds of a message look.
import {soundUrl} from "./attachments.js";
import {el} from "./dom.js";
import {number, t} from "./i18n.js";
import {pictureFigure} from "./picture.js";
import {decodeSound, drawSpectrogram, spectrogram} from "./sound.js";

export function playTime(seconds) {
  if (seconds < 60) return `${number(seconds, 1)} s`;
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

const bytesOf = part => Uint8Array.from(atob(part.input_audio.data), c => c.charCodeAt(0)).buffer;

function soundFigure(part) {
  const url = soundUrl(part), player = el("audio", {controls: true, src: url, "aria-label": part.name});
  const canvas = el("canvas", {role: "img"}), head = el("span", {class: "playhead", hidden: true});
  const stage = el("span", {class: "stage spectrogram"}, canvas, head);
  decodeSound(bytesOf(part)).then(sound => {
    drawSpectrogram(canvas, spectrogram(sound.getChannelData(0)));
    canvas.setAttribute(
        "aria-label",
        t("spectrogram", {name: part.name, seconds: number(sound.duration, 1), kilohertz: number(sound.sampleRate / 2000, 1)}));
    const move = () => {
      head.style.left = `${(100 * player.currentTime) / sound.duration}%`;
      head.hidden = player.currentTime === 0;
      if (!player.paused) requestAnimationFrame(move);
    };
    for (const event of ["play", "seeked", "timeupdate"]) player.addEventListener(event, move);
    stage.addEventListener("click", event => {
      const area = stage.getBoundingClientRect();
      player.currentTime = ((event.clientX - area.left) / area.width) * sound.duration;
    });
  }, () => stage.remove());
  return el("figure", {class: "media sound"}, stage, player, el("figcaption", {}, part.name));
}

function filmFigure(part) {
  return el(
      "figure", {class: "media film"},
      part.video_url && el("video", {controls: true, src: part.video_url.url, "aria-label": part.name, preload: "metadata"}),
      el("div", {class: "frames"},
         part.frames.map(
             ({time, url}) =>
                 el("figure", {}, el("img", {src: url, alt: t("frame", {name: part.name, time: number(time, 1)})}),
                    el("figcaption", {}, playTime(time))))),
      el("figcaption", {}, part.name));
}

export function mediaFigure(part) {
  if (part.type === "image_url") return pictureFigure({url: part.image_url.url, name: part.name || t("picture")});
  return part.type === "video_url" ? filmFigure(part) : soundFigure(part);
}
