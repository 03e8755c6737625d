#include "modality/audio/log_mel.h"

#include <kiss_fftr.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <numbers>
#include <vector>

#include "base/error.h"
#include "base/threads.h"

namespace sensorium::modality {
namespace {

constexpr int64_t kGrain = 16;  // frames that a thread takes at a time
constexpr float kEpsilon = std::numeric_limits<float>::epsilon();
constexpr int kMostFftSize = 1 << 16, kMostBins = 4096;

// Triangles over the bins of a power spectrum: each is a run of weights.
struct FilterBank {
  struct Triangle {
    int64_t first = 0;
    std::vector<float> weights;
  };
  std::vector<Triangle> triangles;

  float apply(size_t bin, std::span<const float> power) const {
    const Triangle& triangle = triangles[bin];
    float sum = 0;
    for (size_t i = 0; i < triangle.weights.size(); ++i) {
      sum += triangle.weights[i] * power[static_cast<size_t>(triangle.first) + i];
    }
    return sum;
  }
};

// A triangle from its weight at each of the first `count` bins of the spectrum.
void add_triangle(FilterBank& bank, int64_t count, const std::function<double(int64_t)>& weight_of) {
  FilterBank::Triangle triangle;
  int64_t last = -1;
  for (int64_t i = 0; i < count; ++i) {
    const auto weight = static_cast<float>(weight_of(i));
    if (weight <= 0) continue;
    if (last < 0) triangle.first = i;
    last = i;
    triangle.weights.resize(static_cast<size_t>(i - triangle.first + 1));
    triangle.weights.back() = weight;
  }
  bank.triangles.push_back(std::move(triangle));
}

double kaldi_mel(double hz) { return 1127.0 * std::log1p(hz / 700.0); }

FilterBank kaldi_bank(const KaldiMelConfig& config, int fft_size) {
  const double nyquist = 0.5 * config.sample_rate_hz;
  const double high = config.high_hz > 0 ? config.high_hz : nyquist + config.high_hz;
  require(config.low_hz >= 0 && config.low_hz < high && high <= nyquist, ErrorKind::usage,
          "mel bins from {} to {} Hz at a rate of {} Hz", config.low_hz, high, config.sample_rate_hz);
  const double low_mel = kaldi_mel(config.low_hz), step = (kaldi_mel(high) - low_mel) / (config.bins + 1);
  FilterBank bank;
  for (int bin = 0; bin < config.bins; ++bin) {
    const double left = low_mel + bin * step, center = left + step, right = center + step;
    add_triangle(bank, fft_size / 2, [&](int64_t i) {  // the bin of half the rate has no weight
      const double mel = kaldi_mel(static_cast<double>(i) * config.sample_rate_hz / fft_size);
      return std::min((mel - left) / (center - left), (right - mel) / (right - center));
    });
  }
  return bank;
}

// Slaney's Auditory Toolbox: 200/3 Hz a mel up to 1 kHz, then 27 mels for a factor of 6.4.
constexpr double kSlaneyHzPerMel = 200.0 / 3, kSlaneyBreakHz = 1000;
double slaney_mel(double hz) {
  const double linear = hz / kSlaneyHzPerMel;
  return hz < kSlaneyBreakHz ? linear
                             : kSlaneyBreakHz / kSlaneyHzPerMel + std::log(hz / kSlaneyBreakHz) * 27 / std::log(6.4);
}
double slaney_hz(double mel) {
  const double at_break = kSlaneyBreakHz / kSlaneyHzPerMel;
  return mel < at_break ? mel * kSlaneyHzPerMel : kSlaneyBreakHz * std::exp((mel - at_break) * std::log(6.4) / 27);
}

FilterBank slaney_bank(const WhisperMelConfig& config) {
  const double top = slaney_mel(0.5 * config.sample_rate_hz);
  const auto corner = [&](int i) { return slaney_hz(top * i / (config.bins + 1)); };
  FilterBank bank;
  for (int bin = 0; bin < config.bins; ++bin) {
    const double left = corner(bin), center = corner(bin + 1), right = corner(bin + 2);
    add_triangle(bank, config.fft_size / 2 + 1, [&](int64_t i) {
      const double hz = static_cast<double>(i) * config.sample_rate_hz / config.fft_size;
      return std::min((hz - left) / (center - left), (right - hz) / (right - center)) * 2 / (right - left);
    });
  }
  return bank;
}

// 0.5 - 0.5 cos(2 pi i / steps).
std::vector<float> hann(int64_t length, int64_t steps) {
  std::vector<float> window(static_cast<size_t>(length));
  for (int64_t i = 0; i < length; ++i) {
    window[static_cast<size_t>(i)] = static_cast<float>(
        0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(steps)));
  }
  return window;
}

// Power spectra of real frames of an even length. Not thread-safe: one per thread.
class PowerSpectrum {
 public:
  explicit PowerSpectrum(int size)
      : plan_(kiss_fftr_alloc(size, 0, nullptr, nullptr), kiss_fftr_free),
        spectrum_(static_cast<size_t>(size / 2 + 1)) {
    require(plan_ != nullptr, ErrorKind::limit, "out of memory for a Fourier transform of {} samples", size);
  }
  // frame [size] -> power [size / 2 + 1].
  void operator()(const float* frame, std::span<float> power) {
    kiss_fftr(plan_.get(), frame, spectrum_.data());
    for (size_t i = 0; i < spectrum_.size(); ++i)
      power[i] = spectrum_[i].r * spectrum_[i].r + spectrum_[i].i * spectrum_[i].i;
  }

 private:
  std::unique_ptr<kiss_fftr_state, void (*)(void*)> plan_;
  std::vector<kiss_fft_cpx> spectrum_;
};

// Calls fill(frame index, [fft_size] target) and writes log_of(mel energy) of every frame and bin.
Tensor mel_frames(int64_t frames, int fft_size, const FilterBank& bank,
                  const std::function<void(int64_t, std::span<float>)>& fill,
                  const std::function<float(float)>& log_of) {
  const auto bins = static_cast<int64_t>(bank.triangles.size());
  Tensor result = Tensor::empty({frames, bins});
  float* out = result.data<float>();
  parallel_for(frames, kGrain, [&](int64_t begin, int64_t end, int) {
    PowerSpectrum spectrum(fft_size);
    std::vector<float> frame(static_cast<size_t>(fft_size)), power(static_cast<size_t>(fft_size / 2 + 1));
    for (int64_t t = begin; t < end; ++t) {
      std::fill(frame.begin(), frame.end(), 0.0f);
      fill(t, frame);
      spectrum(frame.data(), power);
      for (int64_t bin = 0; bin < bins; ++bin)
        out[t * bins + bin] = log_of(bank.apply(static_cast<size_t>(bin), power));
    }
  });
  return result;
}

}  // namespace

Tensor kaldi_log_mel(std::span<const float> mono, const KaldiMelConfig& config) {
  const auto length = static_cast<int64_t>(config.sample_rate_hz * config.frame_length_ms * 1e-3);
  const auto shift = static_cast<int64_t>(config.sample_rate_hz * config.frame_shift_ms * 1e-3);
  require(length >= 2 && length <= kMostFftSize && shift >= 1 && config.bins >= 1 && config.bins <= kMostBins,
          ErrorKind::usage, "mel frames of {} samples every {} in {} bins", length, shift, config.bins);
  const auto count = static_cast<int64_t>(mono.size());
  require(count >= length, ErrorKind::shape, "a sound of {} samples is shorter than one frame of {}", count, length);
  const auto fft_size = static_cast<int>(std::bit_ceil(static_cast<uint64_t>(length)));
  const FilterBank bank = kaldi_bank(config, fft_size);
  const std::vector<float> window = hann(length, length - 1);
  const auto emphasis = static_cast<float>(config.preemphasis);
  const auto fill = [&](int64_t t, std::span<float> frame) {
    const std::span<const float> samples = mono.subspan(static_cast<size_t>(t * shift), static_cast<size_t>(length));
    double sum = 0;
    for (const float sample : samples) sum += sample;
    const auto mean = static_cast<float>(sum / static_cast<double>(length));
    for (size_t i = 0; i < samples.size(); ++i) {
      const float before = samples[i == 0 ? 0 : i - 1] - mean;
      frame[i] = (samples[i] - mean - emphasis * before) * window[i];
    }
  };
  return mel_frames((count - length) / shift + 1, fft_size, bank, fill,
                    [](float energy) { return std::log(std::max(energy, kEpsilon)); });
}

Tensor whisper_log_mel(std::span<const float> mono, const WhisperMelConfig& config) {
  require(config.fft_size >= 2 && config.fft_size % 2 == 0 && config.fft_size <= kMostFftSize && config.hop >= 1 &&
              config.bins >= 1 && config.bins <= kMostBins && config.sample_rate_hz >= 1,
          ErrorKind::usage, "mel frames of {} samples every {} in {} bins at {} Hz", config.fft_size, config.hop,
          config.bins, config.sample_rate_hz);
  const auto count = static_cast<int64_t>(mono.size());
  const int64_t half = config.fft_size / 2;
  require(count > half && count >= config.hop, ErrorKind::shape, "a sound of {} samples is too short for frames of {}",
          count, config.fft_size);
  const FilterBank bank = slaney_bank(config);
  const std::vector<float> window = hann(config.fft_size, config.fft_size);
  const auto fill = [&](int64_t t, std::span<float> frame) {
    for (int64_t i = 0; i < config.fft_size; ++i) {
      int64_t at = t * config.hop + i - half;
      if (at < 0) at = -at;
      if (at >= count) at = 2 * (count - 1) - at;
      frame[static_cast<size_t>(i)] = mono[static_cast<size_t>(at)] * window[static_cast<size_t>(i)];
    }
  };
  Tensor mel = mel_frames(count / config.hop, config.fft_size, bank, fill,
                          [](float energy) { return std::log10(std::max(energy, 1e-10f)); });
  const std::span<float> values = mel.span<float>();
  const float floor = *std::max_element(values.begin(), values.end()) - 8.0f;
  for (float& value : values) value = (std::max(value, floor) + 4.0f) / 4.0f;
  return mel;
}

}  // namespace sensorium::modality
