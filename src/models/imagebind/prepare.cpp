// Legend: C channels, H height, W width.
#include "models/imagebind/prepare.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/log.h"
#include "media/color.h"
#include "media/resample.h"
#include "media/video.h"
#include "modality/audio/log_mel.h"
#include "modality/image/processor.h"
#include "modality/image/resize_map.h"
#include "ops/ops.h"

namespace sensorium::models {
namespace {

using modality::Extent;

constexpr int kSampleRate = 16'000;
constexpr int kSoundClips = 3, kFilmClips = 5, kClipSeconds = 2;
constexpr float kMelMean = -4.268f, kMelDeviation = 9.138f;
// Of disparities (baseline times focal length over distance): Omnivore's, whose data ImageBind shares.
constexpr float kHighestDisparity = 75.0f, kDisparityMean = 0.0418f, kDisparityDeviation = 0.0295f;

modality::ImageProcessorConfig processor(int64_t side) {
  return {.size = {.shortest_edge = side},
          .crop_width = side,
          .crop_height = side,
          .crop_middle = modality::CropMiddle::even};
}

// [3, H, W] as [3 * frames, H, W], each channel's frames side by side.
Tensor repeat_frames(const Tensor& pixels_3HW, int64_t frames) {
  const int64_t height = pixels_3HW.dim(1), width = pixels_3HW.dim(2);
  std::vector<Tensor> parts;
  for (int64_t c = 0; c < 3; ++c) parts.insert(parts.end(), static_cast<size_t>(frames), pixels_3HW.slice(c, c + 1));
  return ops::concat_rows(parts).reshape({1, 3 * frames, height, width});
}

Tensor prepare_picture(const media::Image& image, const ImagebindTower& tower) {
  const modality::ImageProcessorConfig config = processor(tower.input[1]);
  return repeat_frames(modality::to_pixels(modality::fit_image(image, config), config), tower.frames);
}

Tensor prepare_thermal(const media::Image& image, const ImagebindTower& tower) {
  const int64_t side = tower.input[1];
  const media::Image fitted = modality::fit_image(media::to_grey(image), processor(side));
  const Tensor result = Tensor::empty({1, 1, side, side});
  std::transform(fitted.pixels.begin(), fitted.pixels.end(), result.data<float>(),
                 [](uint8_t value) { return static_cast<float>(value) / 255.0f; });
  return result;
}

// The size whose shorter side is `side`; the other one is cut off to whole pixels.
Extent scaled_to(Extent size, int64_t side) {
  const bool tall = size.width < size.height;
  const double longer = std::floor(static_cast<double>(std::max(size.width, size.height)) /
                                   static_cast<double>(std::min(size.width, size.height)) * static_cast<double>(side));
  return tall ? Extent{static_cast<int64_t>(longer), side} : Extent{side, static_cast<int64_t>(longer)};
}

Tensor prepare_depth(const Tensor& disparity_HW, const ImagebindTower& tower) {
  require(disparity_HW.defined() && disparity_HW.rank() == 2 && disparity_HW.elements() > 0, ErrorKind::invalid_data,
          "a map of distances has two dimensions");
  const int64_t side = tower.input[1];
  const Extent given{disparity_HW.dim(0), disparity_HW.dim(1)}, scaled = scaled_to(given, side);
  const Tensor map = modality::resize_map(disparity_HW.reshape({given.height * given.width, 1}), given, scaled);
  const Tensor result = Tensor::empty({1, 1, side, side});
  const int64_t top = (scaled.height - side) / 2, left = (scaled.width - side) / 2;
  for (int64_t y = 0; y < side; ++y) {
    const float* from = map.data<float>() + (top + y) * scaled.width + left;
    std::transform(from, from + side, result.data<float>() + y * side, [](float value) {
      return (std::clamp(value, 0.0f, kHighestDisparity) / kHighestDisparity - kDisparityMean) / kDisparityDeviation;
    });
  }
  return result;
}

Tensor prepare_sound(const media::Audio& audio, const ImagebindTower& tower) {
  media::Audio sound = audio.sample_rate_hz == kSampleRate ? audio : media::resample(audio, kSampleRate);
  if (sound.frames() < int64_t{kClipSeconds} * kSampleRate) {
    log_warning("the sound is {:.2f} s long, shorter than the {} s of a clip: it is filled up with silence",
                sound.duration_s(), kClipSeconds);
  }
  const int64_t bins = tower.input[1], frames = tower.input[2];
  const Tensor result = Tensor::zeros({kSoundClips, 1, bins, frames});
  float* to = result.data<float>();
  for (const int64_t start : clip_starts(sound.frames(), kSampleRate, kSoundClips, kClipSeconds)) {
    const int64_t end = std::min(start + int64_t{kClipSeconds} * kSampleRate, sound.frames());
    // The mean of all channels is taken away in place: where clips overlap, the next one finds it gone, as in the reference.
    const auto samples =
        std::span(sound.samples)
            .subspan(static_cast<size_t>(start * sound.channels), static_cast<size_t>((end - start) * sound.channels));
    double sum = 0;
    for (const float sample : samples) sum += sample;
    const auto mean = static_cast<float>(sum / static_cast<double>(samples.size()));
    for (float& sample : samples) sample -= mean;
    std::vector<float> first;
    for (size_t i = 0; i < samples.size(); i += static_cast<size_t>(sound.channels)) first.push_back(samples[i]);
    const Tensor mel = modality::kaldi_log_mel(first, {.sample_rate_hz = kSampleRate, .bins = static_cast<int>(bins)});
    const int64_t used = std::min(frames, mel.dim(0));
    for (int64_t bin = 0; bin < bins; ++bin, to += frames) {
      for (int64_t t = 0; t < used; ++t) to[t] = mel.data<float>()[t * bins + bin];
      for (int64_t t = 0; t < frames; ++t) to[t] = (to[t] - kMelMean) / kMelDeviation;
    }
  }
  return result;
}

// The frames that each clip shows, `count` of them.
std::vector<std::vector<int64_t>> film_frames(const media::FrameCount& film, int64_t count) {
  const double rate = film.frames_per_s;
  const double last_start = std::max(film.duration_s() - kClipSeconds, 0.0);
  std::vector<std::vector<int64_t>> clips;
  for (int i = 0; i < kFilmClips; ++i) {
    const double start = last_start * i / (kFilmClips - 1);
    const auto begin = std::min(static_cast<int64_t>(std::ceil(rate * start)), film.frames - 1);
    const auto end = std::clamp(static_cast<int64_t>(std::ceil(rate * (start + kClipSeconds))), begin + 1, film.frames);
    std::vector<int64_t> numbers;
    for (int64_t k = 0; k < count; ++k) {
      const double step = count > 1 ? static_cast<double>(end - begin - 1) / static_cast<double>(count - 1) : 0;
      numbers.push_back(begin + static_cast<int64_t>(step * static_cast<double>(k)));
    }
    clips.push_back(std::move(numbers));
  }
  return clips;
}

// Scaled and normalised, still the whole picture: f32 [H * W, 3].
Tensor prepare_frame(const media::Image& frame, Extent scaled) {
  const modality::ImageProcessorConfig clip;
  const Tensor whole = Tensor::empty({int64_t{frame.width} * frame.height, 3});
  std::transform(frame.pixels.begin(), frame.pixels.end(), whole.data<float>(),
                 [](uint8_t value) { return static_cast<float>(value) / 255.0f; });
  const Tensor map = modality::resize_map(whole, {frame.height, frame.width}, scaled);
  float* value = map.data<float>();
  for (int64_t i = 0; i < map.elements(); ++i) {
    const auto c = static_cast<size_t>(i % 3);
    value[i] = (value[i] - clip.mean[c]) / clip.stddev[c];
  }
  return map;
}

// Three crops along the longer side of one clip's frames -> into [3, 3 * frames, side, side] at `to`.
void crop_clip(const std::vector<const Tensor*>& frames, Extent size, int64_t side, float* to) {
  const auto count = static_cast<int64_t>(frames.size());
  for (int64_t crop = 0; crop < 3; ++crop) {
    const auto place = [&](int64_t length, bool longer) {
      const int64_t more = length - side;
      return !longer || crop == 1 ? (more + 1) / 2 : crop == 0 ? 0 : more;
    };
    const int64_t top = place(size.height, size.height > size.width),
                  left = place(size.width, size.height <= size.width);
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t t = 0; t < count; ++t) {
        const float* from = frames[static_cast<size_t>(t)]->data<float>();
        for (int64_t y = 0; y < side; ++y) {
          for (int64_t x = 0; x < side; ++x) *to++ = from[((top + y) * size.width + left + x) * 3 + c];
        }
      }
    }
  }
}

Tensor prepare_film(const std::filesystem::path& path, const ImagebindTower& tower) {
  const std::vector<std::vector<int64_t>> clips = film_frames(media::count_frames(path), tower.frames);
  std::vector<int64_t> numbers;
  for (const std::vector<int64_t>& clip : clips) numbers.insert(numbers.end(), clip.begin(), clip.end());
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  const std::vector<media::Image> frames = media::load_frames(path, numbers);
  const int64_t side = tower.input[1];
  const Extent scaled = scaled_to({frames.front().height, frames.front().width}, side);
  std::vector<Tensor> prepared;
  for (const media::Image& frame : frames) prepared.push_back(prepare_frame(frame, scaled));
  const Tensor result = Tensor::empty({3 * kFilmClips, tower.input[0], side, side});
  float* to = result.data<float>();
  for (const std::vector<int64_t>& clip : clips) {
    std::vector<const Tensor*> shown;
    for (const int64_t number : clip) {
      const auto found = std::lower_bound(numbers.begin(), numbers.end(), number);
      shown.push_back(&prepared[static_cast<size_t>(found - numbers.begin())]);
    }
    crop_clip(shown, scaled, side, to);
    to += 3 * tower.input[0] * side * side;
  }
  return result;
}

Tensor prepare_motion(const Tensor& values, const ImagebindTower& tower) {
  const int64_t channels = tower.input[0], steps = tower.input[2];
  require(values.defined() && values.rank() == 2 && values.dim(0) == channels && values.dim(1) > 1,
          ErrorKind::invalid_data, "a recording of motion is [{}, steps]", channels);
  const int64_t given = values.dim(1);
  const Tensor result = Tensor::empty({1, channels, 1, steps});
  for (int64_t c = 0; c < channels; ++c) {
    const float* from = values.data<float>() + c * given;
    for (int64_t t = 0; t < steps; ++t) {
      const double at = static_cast<double>(t) * static_cast<double>(given - 1) / static_cast<double>(steps - 1);
      const auto first = std::min(static_cast<int64_t>(at), given - 2);
      const auto part = static_cast<float>(at - static_cast<double>(first));
      result.data<float>()[c * steps + t] =
          given == steps ? from[t] : (1 - part) * from[first] + part * from[first + 1];
    }
  }
  return result;
}

Tensor prepare(const EmbedInput& input, const ImagebindTower& tower) {
  switch (input.sense) {
    case InputSense::image:
      return prepare_picture(*input.image, tower);
    case InputSense::video:
      return prepare_film(input.video, tower);
    case InputSense::audio:
      return prepare_sound(*input.audio, tower);
    case InputSense::depth:
      return prepare_depth(input.values, tower);
    case InputSense::thermal:
      return prepare_thermal(*input.image, tower);
    case InputSense::imu:
      return prepare_motion(input.values, tower);
    case InputSense::text:
      break;
  }
  fail(ErrorKind::usage, "texts are not prepared for a tower of patches");
}

}  // namespace

std::vector<int64_t> clip_starts(int64_t length, int64_t per_second, int clips, int clip_seconds) {
  // The reference rounds the duration and what is left of it to f64, and computes with exact fractions from there: the product's
  // 53 + 20 bits do not fit into any floating point type.
  const double duration = static_cast<double>(length) / static_cast<double>(per_second);
  const double room = std::max(duration - clip_seconds, 0.0);
  int exponent = 0;
  const auto mantissa = static_cast<__int128>(std::ldexp(std::frexp(room, &exponent), 53));
  std::vector<int64_t> starts;
  for (int i = 0; i < clips; ++i) {
    const __int128 product = mantissa * i * per_second;
    const int shift = 53 - exponent;
    const __int128 scaled = shift >= 0 ? (shift < 120 ? product >> shift : 0) : product << -shift;
    starts.push_back(static_cast<int64_t>(scaled / std::max(clips - 1, 1)));
  }
  return starts;
}

Tensor prepare_imagebind(const EmbedInput& input, const ImagebindTower& tower) {
  try {
    return prepare(input, tower);
  } catch (const Error& error) {
    const bool named = input.name.empty() || error.message().starts_with(input.name);
    throw named ? error : error.with_context(input.name);
  }
}

}  // namespace sensorium::models
