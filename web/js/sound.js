// Sound: decoding, WAV, and its spectrogram.
const FFT_SIZE = 1024;
const MOST_COLUMNS = 720;
const RANGE_DB = 80;  // below the loudest; what is quieter is drawn black

let context = null;

// Any container that the browser knows; an AudioBuffer.
export function decodeSound(bytes) {
  context ??= new AudioContext();
  return context.decodeAudioData(bytes);
}

// Samples (-1..1) at another rate.
export async function resample(samples, from, to) {
  if (from === to || samples.length === 0) return samples;
  const offline = new OfflineAudioContext(1, Math.max(1, Math.round((samples.length * to) / from)), to);
  const buffer = offline.createBuffer(1, samples.length, from);
  buffer.copyToChannel(samples, 0);
  const source = offline.createBufferSource();
  source.buffer = buffer;
  source.connect(offline.destination);
  source.start();
  return (await offline.startRendering()).getChannelData(0);
}

// One channel of 16-bit PCM as a WAV file (RIFF, "fmt " of 16 bytes).
export function toWav(samples, sampleRate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, value) => [...value].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, 2 * sampleRate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  for (let i = 0; i < samples.length; ++i)
    view.setInt16(44 + 2 * i, Math.round(Math.max(-1, Math.min(1, samples[i])) * 32767), true);
  return new Blob([view.buffer], {type: "audio/wav"});
}

// In place, radix 2 (Cooley and Tukey 1965); lengths are powers of two.
export function fft(re, im) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; ++i) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let size = 2; size <= n; size *= 2) {
    const half = size / 2, angle = (-2 * Math.PI) / size;
    for (let k = 0; k < half; ++k) {
      const wr = Math.cos(angle * k), wi = Math.sin(angle * k);
      for (let a = k; a < n; a += size) {
        const b = a + half, xr = re[b] * wr - im[b] * wi, xi = re[b] * wi + im[b] * wr;
        re[b] = re[a] - xr;
        im[b] = im[a] - xi;
        re[a] += xr;
        im[a] += xi;
      }
    }
  }
}

// Columns of FFT_SIZE / 2 powers in decibels, Hann window, evenly over the time.
export function spectrogram(samples) {
  const columns = Math.max(1, Math.min(MOST_COLUMNS, Math.ceil(samples.length / (FFT_SIZE / 4))));
  const out = [], re = new Float32Array(FFT_SIZE), im = new Float32Array(FFT_SIZE);
  for (let c = 0; c < columns; ++c) {
    const start = Math.round(columns === 1 ? 0 : (c * Math.max(0, samples.length - FFT_SIZE)) / (columns - 1));
    for (let i = 0; i < FFT_SIZE; ++i) {
      re[i] = (samples[start + i] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (FFT_SIZE - 1)));
      im[i] = 0;
    }
    fft(re, im);
    out.push(Float32Array.from({length: FFT_SIZE / 2}, (_, k) => 10 * Math.log10(re[k] * re[k] + im[k] * im[k] + 1e-12)));
  }
  return out;
}

// From black over violet and orange to pale yellow, lightness rising evenly; `x` is 0..1.
const STOPS = [[10, 8, 24], [72, 28, 112], [168, 50, 106], [240, 112, 66], [252, 236, 180]];
function color(x) {
  const at = Math.min(0.9999, Math.max(0, x)) * (STOPS.length - 1), i = Math.floor(at), f = at - i;
  return STOPS[i].map((value, c) => value + f * (STOPS[i + 1][c] - value));
}

// Draws columns from left to right, low tones below.
export function drawSpectrogram(canvas, columns) {
  const height = 160, bins = columns[0].length;
  canvas.width = columns.length;
  canvas.height = height;
  let loudest = -Infinity;
  for (const column of columns)
    for (const value of column) loudest = Math.max(loudest, value);
  const picture = new ImageData(columns.length, height);
  columns.forEach((column, x) => {
    for (let y = 0; y < height; ++y) {
      // Square root of the frequency: room for speech without losing the top.
      const low = Math.floor(((height - 1 - y) / height) ** 2 * bins),
            high = Math.max(low + 1, Math.floor(((height - y) / height) ** 2 * bins));
      let value = -Infinity;
      for (let k = low; k < Math.min(high, bins); ++k) value = Math.max(value, column[k]);
      const at = 4 * (y * columns.length + x), [r, g, b] = color(1 + (value - loudest) / RANGE_DB);
      picture.data.set([r, g, b, 255], at);
    }
  });
  canvas.getContext("2d").putImageData(picture, 0, 0);
}
