// Log-mel spectrograms as the references compute them. There are two conventions, which differ in every step: Kaldi's filter
// banks (torchaudio.compliance.kaldi.fbank; Audio Spectrogram Transformer, ImageBind) and Slaney's mel scale on a short-time
// Fourier transform (librosa; Whisper).
#pragma once

#include <cstdint>
#include <span>

#include "tensor/tensor.h"

namespace sensorium::modality {

// Hann window of 25 ms, a step of 10 ms, the transform padded to a power of two; of each frame the mean is taken away and a
// pre-emphasis of 0.97 applied; power spectrum; triangles on the scale 1127 ln(1 + f / 700); natural logarithm, not below that of
// f32's epsilon (1.19e-7). No dither, no energy. Frames that do not fit whole are dropped (snip_edges).
struct KaldiMelConfig {
  int sample_rate_hz = 16'000;
  int bins = 128;
  double low_hz = 20;
  double high_hz = 0;  // <= 0: this much below half the rate
  double frame_length_ms = 25, frame_shift_ms = 10;
  double preemphasis = 0.97;
};
// mono [samples] in -1..1 -> f32 [frames, bins]. Throws Error: shape (shorter than one frame), usage (sizes that make no sense).
Tensor kaldi_log_mel(std::span<const float> mono, const KaldiMelConfig& config = {});

// Periodic Hann window of `fft_size`, centred frames with reflected ends, the last frame dropped; power spectrum; triangles on
// Slaney's scale (linear below 1 kHz), each of area 1; log10, not below 1e-10 nor 8 below the loudest, then (x + 4) / 4.
struct WhisperMelConfig {
  int sample_rate_hz = 16'000;
  int bins = 80;
  int fft_size = 400, hop = 160;
};
// mono [samples] -> f32 [samples / hop, bins]. (Whisper pads to 30 s before; that is the caller's to do.) Throws Error: shape
// (not longer than half of fft_size: there is nothing to reflect), usage.
Tensor whisper_log_mel(std::span<const float> mono, const WhisperMelConfig& config = {});

}  // namespace sensorium::modality
