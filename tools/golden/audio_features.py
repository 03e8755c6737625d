#!/usr/bin/env python3
"""Makes tests/golden/audio: small sound files with the samples that libsndfile (through soundfile) reads, and what torchaudio's
resampling and Kaldi filter banks and transformers' Whisper features make of a signal. Needs numpy, soundfile, torch,
torchaudio, transformers.

Arrays are raw little-endian f32; index.json has their shapes.
"""

import json
import pathlib

import numpy as np
import soundfile
import torch

torch.version.cuda = None  # torchaudio refuses to load beside a torch built for another CUDA; nothing here runs on a GPU
import torchaudio
from transformers import WhisperFeatureExtractor

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "audio"
rng = np.random.default_rng(4)
index = {"arrays": {}, "files": []}


def store(name, array):
    array = np.ascontiguousarray(array, dtype="<f4")
    (OUT / f"{name}.raw").write_bytes(array.tobytes())
    index["arrays"][name] = list(array.shape)


def signal(rate, seconds):
    """A rising tone, a hum, clicks and noise."""
    t = np.arange(int(rate * seconds)) / rate
    wave = 0.4 * np.sin(2 * np.pi * (200 + 3000 * t / seconds) * t) + 0.2 * np.sin(2 * np.pi * 50 * t)
    wave += 0.02 * rng.standard_normal(t.shape)
    wave[:: rate // 20] += 0.3
    return np.clip(wave, -0.99, 0.99)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    stereo = np.stack([signal(44100, 0.05), signal(44100, 0.05)[::-1]], 1)
    for name, kind, subtype in [("pcm8.wav", "WAV", "PCM_U8"), ("pcm16.wav", "WAV", "PCM_16"), ("pcm24.wav", "WAV", "PCM_24"),
                                ("float32.wav", "WAV", "FLOAT"), ("ulaw.wav", "WAV", "ULAW"), ("extensible.wav", "WAVEX", "PCM_24"),
                                ("flac16.flac", "FLAC", "PCM_16"), ("flac24.flac", "FLAC", "PCM_24")]:
        soundfile.write(OUT / name, stereo, 44100, format=kind, subtype=subtype)
        samples, rate = soundfile.read(OUT / name, dtype="float32", always_2d=True)
        key = name.replace(".", "_")
        store(key, samples)
        index["files"].append({"file": name, "array": key, "sample_rate_hz": rate})

    mono = signal(16000, 0.4).astype(np.float32)
    store("mono", mono)
    wave = torch.from_numpy(mono)[None]
    for to in (8000, 22050, 44100, 48000):
        store(f"resample_{to}", torchaudio.functional.resample(wave, 16000, to)[0].numpy())
    for bins in (80, 128):
        kaldi = torchaudio.compliance.kaldi.fbank(wave, htk_compat=True, sample_frequency=16000, use_energy=False,
                                                  window_type="hanning", num_mel_bins=bins, dither=0.0, frame_shift=10)
        store(f"kaldi_{bins}", kaldi.numpy())
        features = WhisperFeatureExtractor(feature_size=bins)
        mel = features(mono, sampling_rate=16000, padding="longest", truncation=False, return_tensors="np").input_features[0]
        store(f"whisper_{bins}", mel.T)
    (OUT / "index.json").write_text(json.dumps(index, indent=1) + "\n")


main()
