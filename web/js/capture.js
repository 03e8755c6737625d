// A picture of the camera, a sound of the microphone, as files.
import {toBlob} from "./attachments.js";
import {closeButton, openDialog} from "./dialogs.js";
import {el, toast} from "./dom.js";
import {number, t} from "./i18n.js";
import {resample, toWav} from "./sound.js";

const SAMPLE_RATE_HZ = 16_000;  // what models of speech are trained at

// The browser asks the user. Null, after a note, if there is none.
async function open(constraints, failed) {
  try {
    if (!navigator.mediaDevices) throw new Error("https or localhost is needed");
    return await navigator.mediaDevices.getUserMedia(constraints);
  } catch (error) {
    toast(t(failed, {reason: error.message}));
    return null;
  }
}

const stamp = () => new Date().toISOString().slice(0, 19).replace("T", "-").replaceAll(":", "");
const head = title => el("header", {}, el("h2", {}, title), closeButton());

// Resolves to a JPEG file, or null.
export async function takePicture() {
  const stream = await open({video: {facingMode: "environment", width: {ideal: 1920}}}, "noCamera");
  if (!stream) return null;
  return new Promise(resolve => {
    const video = el("video", {muted: true, playsinline: true, "aria-label": t("camera")});
    video.srcObject = stream;
    video.play();
    let file = null;
    const take =
        el("button", {
          class: "button strong",
          type: "button",
          on: {
            click: async () => {
              const canvas = el("canvas");
              canvas.width = video.videoWidth;
              canvas.height = video.videoHeight;
              canvas.getContext("2d").drawImage(video, 0, 0);
              file = new File([await toBlob(canvas, "image/jpeg", 0.92)], `camera-${stamp()}.jpg`, {type: "image/jpeg"});
              dialog.close();
            }
          }
        },
           t("take"));
    const dialog = openDialog(
        {
          label: t("cameraTitle"),
          done: () => {
            for (const track of stream.getTracks()) track.stop();
            resolve(file);
          }
        },
        head(t("cameraTitle")), el("div", {class: "dialog-body"}, video, el("div", {class: "actions"}, take)));
    take.focus();
  });
}

// Resolves to a WAV file of 16 kHz, or null.
export async function recordSound() {
  const stream = await open({audio: true}, "noMicrophone");
  if (!stream) return null;
  const context = new AudioContext(), pieces = [];
  await context.audioWorklet.addModule("/web/js/recorder_worklet.js");
  const node = new AudioWorkletNode(context, "recorder");
  context.createMediaStreamSource(stream).connect(node);
  return new Promise(resolve => {
    const time = el("p", {class: "recording", role: "timer"}), level = el("meter", {min: 0, max: 1, "aria-hidden": "true"});
    let count = 0, finished = false;
    const tell = () => {
      time.textContent = t("recording", {time: number(count / context.sampleRate, 1)});
    };
    tell();
    node.port.onmessage = ({data}) => {
      pieces.push(data);
      count += data.length;
      if (pieces.length % 16 !== 0) return;
      tell();
      level.value = Math.max(...data.map(Math.abs));
    };
    const finish =
        el("button", {
          class: "button strong",
          type: "button",
          on: {
            click: () => {
              finished = true;
              dialog.close();
            }
          }
        },
           t("finish"));
    const dialog = openDialog(
        {
          label: t("microphoneTitle"),
          done: async () => {
            for (const track of stream.getTracks()) track.stop();
            const rate = context.sampleRate;
            await context.close();
            if (!finished || count === 0) return resolve(null);
            const samples = new Float32Array(count);
            let at = 0;
            for (const piece of pieces) {
              samples.set(piece, at);
              at += piece.length;
            }
            resolve(new File(
                [toWav(await resample(samples, rate, SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)], `sound-${stamp()}.wav`,
                {type: "audio/wav"}));
          }
        },
        head(t("microphoneTitle")), el("div", {class: "dialog-body"}, time, level, el("div", {class: "actions"}, finish)));
    finish.focus();
  });
}
