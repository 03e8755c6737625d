// Legend: N inputs, C numbers of a vector.
#include "models/sensorium/embedder.h"

#include <algorithm>
#include <cmath>

#include "media/video.h"
#include "modality/audio/prepare.h"
#include "modality/motion/motion.h"

namespace sensorium::models {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBatch = 16;  // pictures or texts that go through the model at once
constexpr float kUnitEps = 1e-12f;
constexpr media::FrameSampling kFrames = {.frames_per_s = 1, .min_frames = 4, .max_frames = 8};

// A sound in memory, read like a file.
class MemoryReader : public media::AudioReader {
 public:
  explicit MemoryReader(const media::Audio& audio)
      : audio_(audio), info_{"", audio.sample_rate_hz, audio.channels, audio.frames()} {}
  const media::AudioInfo& info() const override { return info_; }
  int64_t read(std::span<float> samples) override {
    const size_t count = std::min(samples.size(), audio_.samples.size() - at_);
    std::copy_n(audio_.samples.begin() + static_cast<std::ptrdiff_t>(at_), count, samples.begin());
    at_ += count;
    return static_cast<int64_t>(count) / audio_.channels;
  }

 private:
  const media::Audio& audio_;
  media::AudioInfo info_;
  size_t at_ = 0;
};

modality::Motion motion_of(const Tensor& values_6T) {
  require(values_6T.defined() && values_6T.rank() == 2 && values_6T.dim(0) == modality::kMotionAxes,
          ErrorKind::invalid_data, "a recording of motion is [{}, steps]", modality::kMotionAxes);
  const int64_t steps = values_6T.dim(1);
  modality::Motion motion;
  for (int64_t t = 0; t < steps; ++t) {
    for (int64_t axis = 0; axis < modality::kMotionAxes; ++axis)
      motion.values.push_back(values_6T.data<float>()[axis * steps + t]);
  }
  return motion;
}

// The rows' mean as one row of unit length.
Tensor unit_mean(const Tensor& rows_NC) {
  const std::vector<int64_t> all = {0, rows_NC.dim(0)};
  return ops::l2_normalize(ops::segment_mean(rows_NC, all), kUnitEps);
}

}  // namespace

modality::Recording recording_of(const EmbedInput& input) {
  if (input.sense == InputSense::audio) {
    MemoryReader reader(*input.audio);
    return modality::hear(reader);
  }
  if (input.sense == InputSense::imu) return modality::motion_recording(motion_of(input.values));
  return modality::sense_kind(name_of(input.sense))
      .load(input.sense == InputSense::video ? input.video : fs::path(input.name), {});
}

std::vector<InputSense> SensoriumEmbedder::senses() const {
  const JointSpace& joint = model_.joint();
  std::vector<InputSense> all;
  for (const InputSense sense : kSenses) {
    // Films without a head of their own, and thermal pictures, are seen by the eyes.
    const bool seen = sense == InputSense::video || sense == InputSense::thermal;
    if (sense == InputSense::text || joint.has(name_of(sense)) || (seen && joint.has("image"))) all.push_back(sense);
  }
  return all;
}

Tensor SensoriumEmbedder::embed_texts(std::span<const EmbedInput* const> inputs) const {
  std::vector<std::string> texts;
  for (const EmbedInput* input : inputs) {
    texts.push_back(joint_text(input->text));
    require(!texts.back().empty(), ErrorKind::usage, "{}: a text without words has no place in the joint space",
            input->name);
  }
  return model_.joint().place_texts(model_.decoder(), model_.queries(texts));
}

Tensor SensoriumEmbedder::embed_pictures(std::span<const media::Image* const> images) const {
  std::vector<media::Image> resized;
  std::vector<const media::Image*> pointers;
  for (const media::Image* image : images)
    resized.push_back(modality::resize_for_model(*image, model_.config().prepare));
  for (const media::Image& image : resized) pointers.push_back(&image);
  return model_.joint().place("image", pooled(model_.encode(modality::pack_images(pointers, compute_))));
}

Tensor SensoriumEmbedder::embed_one(const EmbedInput& input) const {
  if (input.sense == InputSense::video && !model_.joint().has("video")) {
    const media::Video film = media::load_video(input.video, kFrames);
    std::vector<const media::Image*> frames;
    for (const media::VideoFrame& frame : film.frames) frames.push_back(&frame.image);
    return unit_mean(embed_pictures(frames));
  }
  const modality::Recording recording = recording_of(input);
  const Sense& sense = model_.sense(*recording.sense);
  const std::vector<modality::Signal> windows = signals_of(recording);
  const Tensor pooled_NC = pooled(model_.encode(sense, pointers_to(windows), compute_));
  return unit_mean(model_.joint().place(sense.kind().name, pooled_NC));
}

Tensor SensoriumEmbedder::embed(std::span<const EmbedInput> inputs) const {
  const NoGrad no_grad;
  const Tensor result_NC = Tensor::empty({static_cast<int64_t>(inputs.size()), embedding_dim()});
  const auto put = [&](const std::vector<size_t>& places, const Tensor& vectors_NC) {
    for (size_t i = 0; i < places.size(); ++i) {
      const auto from = static_cast<int64_t>(i), to = static_cast<int64_t>(places[i]);
      result_NC.slice(to, to + 1).copy_from(vectors_NC.slice(from, from + 1));
    }
  };
  std::vector<size_t> texts, pictures;
  for (size_t i = 0; i < inputs.size(); ++i) {
    require_sense(*this, inputs[i], model_.config().name);
    if (inputs[i].sense == InputSense::text) {
      texts.push_back(i);
    } else if (inputs[i].image) {
      pictures.push_back(i);
    } else {
      try {
        put({i}, embed_one(inputs[i]));
      } catch (const Error& error) {
        const bool named = inputs[i].name.empty() || error.message().starts_with(inputs[i].name);
        throw named ? error : error.with_context(inputs[i].name);
      }
    }
  }
  for (size_t begin = 0; begin < texts.size(); begin += kBatch) {
    const std::vector<size_t> some(texts.begin() + static_cast<std::ptrdiff_t>(begin),
                                   texts.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kBatch, texts.size())));
    std::vector<const EmbedInput*> given;
    for (const size_t i : some) given.push_back(&inputs[i]);
    put(some, embed_texts(given));
  }
  for (size_t begin = 0; begin < pictures.size(); begin += kBatch) {
    const std::vector<size_t> some(
        pictures.begin() + static_cast<std::ptrdiff_t>(begin),
        pictures.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kBatch, pictures.size())));
    std::vector<const media::Image*> given;
    for (const size_t i : some) given.push_back(inputs[i].image.get());
    put(some, embed_pictures(given));
  }
  return result_NC;
}

Tensor SensoriumEmbedder::compare(const Tensor& items, const Tensor& others) const {
  const NoGrad no_grad;
  return ops::scale(ops::linear(items, others), std::exp(model_.joint().log_scale().item()));
}

}  // namespace sensorium::models
