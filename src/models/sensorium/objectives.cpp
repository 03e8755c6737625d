// Legend: N pictures or windows, T tokens, M hidden patches, K values of a patch, C channels.
#include "models/sensorium/objectives.h"

#include <algorithm>

#include "ops/contrastive.h"

namespace sensorium::models {
namespace {

using modality::Signal;

constexpr int kPatch = ObjectiveHeads::kPatch;

Signal signal_of(const media::Image& image) {
  const media::Image* pointer = &image;
  const modality::PreparedImages prepared = modality::pack_images({&pointer, 1}, DType::f32);
  Signal signal(image.height, image.width, 3);
  std::ranges::copy(prepared.pixels_P3.span<float>(), signal.values.begin());
  return signal;
}

// A signal of which some patches are hidden behind the middle of the scale, and what these held.
struct Masked {
  Signal shown;
  std::vector<int32_t> cells;  // the hidden ones' places in the grid of tokens
  std::vector<float> values;   // [cells, kPatch, kPatch, channels]
};

Masked mask(const Signal& signal, const std::vector<uint8_t>& hidden) {
  Masked masked{.shown = signal, .cells = {}, .values = {}};
  const auto columns = static_cast<int>(modality::ImageEncoder::tokens_along(signal.width));
  for (size_t cell = 0; cell < hidden.size(); ++cell) {
    if (hidden[cell] == 0) continue;
    const int top = static_cast<int>(cell) / columns * kPatch, left = static_cast<int>(cell) % columns * kPatch;
    masked.cells.push_back(static_cast<int32_t>(cell));
    for (int y = top; y < top + kPatch; ++y) {
      for (int x = left; x < left + kPatch; ++x) {
        for (int c = 0; c < signal.channels; ++c) {
          masked.values.push_back(signal.at(y, x, c));
          masked.shown.at(y, x, c) = 0;
        }
      }
    }
  }
  return masked;
}

// The squared error of what `head` makes of the hidden patches' tokens.
Tensor error_of(const nn::Linear& head, const modality::ImageFeatures& features, const std::vector<Masked>& masked) {
  const std::vector<int64_t> offsets = features.coarse.offsets();
  std::vector<int32_t> rows;
  std::vector<float> values;
  for (size_t i = 0; i < masked.size(); ++i) {
    for (const int32_t cell : masked[i].cells) rows.push_back(static_cast<int32_t>(offsets[i]) + cell);
    values.insert(values.end(), masked[i].values.begin(), masked[i].values.end());
  }
  const auto count = static_cast<int64_t>(rows.size());
  const Tensor guessed_MK =
      ops::cast(head(ops::gather_rows(features.tokens_TC, Tensor::from(rows, {count}))), DType::f32);
  const Tensor error_MK = ops::add(guessed_MK, Tensor::from(values, guessed_MK.shape()), 1.0f, -1.0f);
  return ops::mean(ops::multiply(error_MK, error_MK));
}

Signal with_frames_in(const Signal& film, const std::vector<int>& order) {
  Signal result = film;
  const auto frame = static_cast<int64_t>(film.values.size()) / film.frames;
  for (size_t t = 0; t < order.size(); ++t) {
    std::copy_n(film.values.begin() + order[t] * frame, frame, result.values.begin() + static_cast<int64_t>(t) * frame);
  }
  return result;
}

}  // namespace

ObjectiveHeads::ObjectiveHeads(nn::ParameterStore& store, const SensoriumConfig& config, const LossWeights& weights) {
  const auto add = [&](const std::string& sense, int64_t dim, int64_t channels) {
    patches_.emplace(sense, nn::Linear(store, fmt::format("{}{}.patches", kPrefix, sense), dim,
                                       int64_t{kPatch} * kPatch * channels, nn::Bias::zeros));
  };
  if (weights.masked_patches > 0) {
    add("image", config.image.dim, config.image.channels);
    for (const SenseConfig& sense : config.senses) {
      if (sense.kind->load_frames == nullptr)
        add(std::string(sense.kind->name), sense.encoder->dim(), sense.kind->channels);
    }
  }
  for (const SenseConfig& sense : config.senses) {
    if (weights.frame_order > 0 && sense.kind->load_frames != nullptr)
      order_ = nn::Linear(store, fmt::format("{}{}.order", kPrefix, sense.kind->name), sense.encoder->dim(), 2,
                          nn::Bias::zeros);
  }
}

Tensor ObjectiveHeads::masked_patches(const SensoriumModel& model, const TrainingBatch& batch, DType compute) const {
  std::vector<Tensor> losses;
  const auto add = [&](std::string_view sense, const std::vector<Masked>& masked, auto&& encode) {
    const bool any = std::ranges::any_of(masked, [](const Masked& one) { return !one.cells.empty(); });
    if (!any) return;
    std::vector<const Signal*> pointers;
    for (const Masked& one : masked) pointers.push_back(&one.shown);
    losses.push_back(error_of(patches_.find(sense)->second, encode(pointers), masked));
  };
  std::vector<Masked> pictures;
  for (const TrainingImage& image : batch.images) {
    if (!image.hidden.empty()) pictures.push_back(mask(signal_of(image.image), image.hidden));
  }
  add("image", pictures, [&](const std::vector<const Signal*>& signals) {
    const modality::PreparedSignals prepared = modality::pack_signals(signals, compute);
    return model.encode({prepared.values_PC, prepared.sizes});
  });
  for (const Sense& sense : model.senses()) {
    std::vector<Masked> masked;
    for (const size_t i : recordings_of(batch, sense)) {
      const TrainingRecording& recording = batch.recordings[i];
      if (!recording.hidden.empty()) masked.push_back(mask(recording.signal, recording.hidden));
    }
    add(sense.kind().name, masked,
        [&](const std::vector<const Signal*>& signals) { return model.encode(sense, signals, compute); });
  }
  if (losses.empty()) return {};
  return ops::weighted_sum(losses, std::vector<float>(losses.size(), 1.0f / static_cast<float>(losses.size())));
}

Tensor ObjectiveHeads::frame_order(const SensoriumModel& model, const TrainingBatch& batch, DType compute) const {
  std::vector<Signal> films;
  std::vector<int32_t> shuffled;
  const modality::SenseKind* kind = nullptr;
  for (const TrainingRecording& recording : batch.recordings) {
    if (recording.order.empty()) continue;
    kind = recording.sense;
    films.push_back(with_frames_in(recording.signal, recording.order));
    shuffled.push_back(std::ranges::is_sorted(recording.order) ? 0 : 1);
  }
  if (films.empty()) return {};
  const modality::ImageFeatures features = model.encode(model.sense(*kind), pointers_to(films), compute);
  const Tensor logits_N2 = order_(pooled(features));
  return ops::cross_entropy(logits_N2, Tensor::from(shuffled, {static_cast<int64_t>(shuffled.size())}));
}

void ContrastivePairs::add(std::string_view sense, const modality::ImageFeatures& features,
                           const std::vector<const Called*>& names) {
  if (!model_.joint().has(sense)) return;
  std::vector<int32_t> rows;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i]->phrase.empty()) continue;
    rows.push_back(static_cast<int32_t>(i));
    phrases_.push_back(names[i]->phrase);
    concepts_.push_back(names[i]->concept_id);
  }
  if (rows.empty()) return;
  const auto count = static_cast<int64_t>(rows.size());
  media_NC_.push_back(model_.joint().place(sense, ops::gather_rows(pooled(features), Tensor::from(rows, {count}))));
}

Tensor ContrastivePairs::loss() const {
  const auto count = static_cast<int64_t>(phrases_.size());
  if (count < 2) return {};
  const JointSpace& joint = model_.joint();
  return ops::info_nce(ops::concat_rows(media_NC_), joint.place_texts(model_.decoder(), make_queries(phrases_)),
                       joint.log_scale(), Tensor::from(concepts_, {count}));
}

}  // namespace sensorium::models
