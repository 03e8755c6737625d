// Legend: P cells of all pictures, Q kinds of objects or labels, T tokens, N pictures.
#include "models/sensorium/training.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "models/decoder/loss.h"
#include "models/sensorium/objectives.h"

namespace sensorium::models {
namespace {

constexpr float kNothing = std::numeric_limits<float>::quiet_NaN();

struct DetectionTargets {
  Tensor heat_PQ;                // 1 at centres, a Gaussian around them, 0 elsewhere, -1: not known
  std::vector<int32_t> cells;    // cells that predict a box
  std::vector<float> distances;  // their distances to the box's sides, in cells
  std::vector<float> weights;    // the same weight for every object, shared by its cells
  int64_t objects = 0;
};

DetectionTargets detection_targets(const TrainingBatch& batch, const ops::Pictures& grid, int64_t kinds) {
  DetectionTargets targets;
  const std::vector<int64_t> offsets = grid.offsets();
  targets.heat_PQ = Tensor::zeros({offsets.back(), kinds});
  float* heat = targets.heat_PQ.data<float>();
  for (size_t i = 0; i < batch.images.size(); ++i) {
    const TrainingImage& image = batch.images[i];
    const int height = grid.heights[i], width = grid.widths[i];
    const auto cell = [&](int y, int x) { return offsets[i] + int64_t{y} * width + x; };
    if (!image.boxes_known) {
      std::fill(heat + offsets[i] * kinds, heat + offsets[i + 1] * kinds, -1.0f);
      continue;
    }
    for (const ObjectTarget& object : image.objects) {
      const float cx = (object.box.x0 + object.box.x1) / 2 / Detector::kStride;
      const float cy = (object.box.y0 + object.box.y1) / 2 / Detector::kStride;
      const int column = std::clamp(static_cast<int>(cx), 0, width - 1);
      const int row = std::clamp(static_cast<int>(cy), 0, height - 1);
      // The Gaussian's deviations follow the box (TTFNet, Liu 2020: 0.54 / 6 of the side), at least 0.4 cells.
      const float sx = std::max(0.4f, 0.09f * (object.box.x1 - object.box.x0) / Detector::kStride);
      const float sy = std::max(0.4f, 0.09f * (object.box.y1 - object.box.y0) / Detector::kStride);
      const int rx = static_cast<int>(3 * sx), ry = static_cast<int>(3 * sy);
      for (int y = std::max(0, row - ry); y <= std::min(height - 1, row + ry); ++y) {
        for (int x = std::max(0, column - rx); x <= std::min(width - 1, column + rx); ++x) {
          const float dx = static_cast<float>(x - column) / sx, dy = static_cast<float>(y - row) / sy;
          float& value = heat[cell(y, x) * kinds + object.object];
          value = std::max(value, std::exp(-0.5f * (dx * dx + dy * dy)));
        }
      }
      heat[cell(row, column) * kinds + object.object] = 1.0f;
      ++targets.objects;
      // The centre cell and its neighbours inside the box learn the box.
      const size_t first = targets.cells.size();
      for (int y = std::max(0, row - 1); y <= std::min(height - 1, row + 1); ++y) {
        for (int x = std::max(0, column - 1); x <= std::min(width - 1, column + 1); ++x) {
          const float px = static_cast<float>(x) + 0.5f, py = static_cast<float>(y) + 0.5f;
          const float sides[4] = {px - object.box.x0 / Detector::kStride, py - object.box.y0 / Detector::kStride,
                                  object.box.x1 / Detector::kStride - px, object.box.y1 / Detector::kStride - py};
          const bool centre = x == column && y == row;
          if (!centre && *std::min_element(sides, sides + 4) <= 0) continue;
          targets.cells.push_back(static_cast<int32_t>(cell(y, x)));
          for (const float side : sides) targets.distances.push_back(std::max(side, 0.01f));
        }
      }
      const size_t count = targets.cells.size() - first;
      for (size_t k = 0; k < count; ++k) targets.weights.push_back(1.0f / static_cast<float>(count));
    }
    for (const int kind : image.unknown_objects) {
      for (int64_t p = offsets[i]; p < offsets[i + 1]; ++p) heat[p * kinds + kind] = -1.0f;
    }
  }
  return targets;
}

// Up to two labels of each row, which share its weight; -1: none.
struct LabelTargets {
  std::vector<int32_t> labels, others;
  std::vector<float> shares, other_shares;
  int64_t labelled = 0;

  void add(int label, int other, float other_share) {
    labels.push_back(label);
    others.push_back(other);
    shares.push_back(1 - other_share);
    other_shares.push_back(other_share);
    labelled += label >= 0 || other >= 0;
  }
  // Mean over the rows with a label.
  Tensor loss(const Tensor& logits_NQ, float smoothing) const {
    const auto part = [&](const std::vector<int32_t>& targets, const std::vector<float>& weights) {
      const auto count = static_cast<int64_t>(targets.size());
      return ops::cross_entropy(logits_NQ, Tensor::from(targets, {count}), Tensor::from(weights, {count}),
                                static_cast<double>(labelled), smoothing);
    };
    if (std::all_of(others.begin(), others.end(), [](int32_t label) { return label < 0; })) return part(labels, shares);
    return ops::weighted_sum({part(labels, shares), part(others, other_shares)}, {1, 1});
  }
};

// Decoder tokens of all recordings in their order, which may mix senses.
struct RecordingTokens {
  std::vector<Tensor> blocks_TC;                  // one a sense
  std::vector<std::pair<int64_t, int64_t>> rows;  // of each recording, in the blocks one after another
};

Tensor label_loss(const Sense& sense, const modality::ImageFeatures& features, const TrainingBatch& batch,
                  std::span<const size_t> recordings, float smoothing) {
  LabelTargets targets;
  for (const size_t i : recordings) {
    const TrainingRecording& recording = batch.recordings[i];
    targets.add(recording.label, recording.trait, recording.trait < 0 ? 0.0f : recording.label < 0 ? 1.0f : 0.5f);
  }
  return targets.loss(sense.classify(features, sense.label_queries()), smoothing);
}

// Behind the pictures' tokens those of the recordings, in the batch's order.
void append_recordings(const RecordingTokens& tokens, Tensor& tokens_TC, std::vector<int64_t>& offsets) {
  std::vector<Tensor> parts;
  if (tokens_TC.defined()) parts.push_back(tokens_TC);
  const int64_t pictures = offsets.back();
  parts.insert(parts.end(), tokens.blocks_TC.begin(), tokens.blocks_TC.end());
  std::vector<int32_t> order;
  for (int64_t row = 0; row < pictures; ++row) order.push_back(static_cast<int32_t>(row));
  for (const auto& [begin, end] : tokens.rows) {
    for (int64_t row = begin; row < end; ++row) order.push_back(static_cast<int32_t>(pictures + row));
    offsets.push_back(static_cast<int64_t>(order.size()));
  }
  tokens_TC = ops::gather_rows(ops::concat_rows(parts), Tensor::from(order, {static_cast<int64_t>(order.size())}));
}

}  // namespace

std::vector<size_t> recordings_of(const TrainingBatch& batch, const Sense& sense) {
  std::vector<size_t> found;
  for (size_t i = 0; i < batch.recordings.size(); ++i) {
    if (batch.recordings[i].sense == &sense.kind()) found.push_back(i);
  }
  return found;
}

modality::ImageFeatures encode_recordings(const SensoriumModel& model, const Sense& sense, const TrainingBatch& batch,
                                          std::span<const size_t> recordings, DType compute) {
  std::vector<const modality::Signal*> pointers;
  for (const size_t i : recordings) pointers.push_back(&batch.recordings[i].signal);
  return model.encode(sense, pointers, compute);
}

modality::PreparedImages pack_pictures(const TrainingBatch& batch, DType compute) {
  std::vector<const media::Image*> pointers;
  for (const TrainingImage& image : batch.images) pointers.push_back(&image.image);
  return modality::pack_images(pointers, compute);
}

BatchLosses training_loss(const SensoriumModel& model, const TrainingBatch& batch, const LossWeights& weights,
                          DType compute, const ObjectiveHeads* heads) {
  BatchLosses result{.label = kNothing,
                     .sense = kNothing,
                     .center = kNothing,
                     .box = kNothing,
                     .language = kNothing,
                     .masked_text = kNothing,
                     .masked_patches = kNothing,
                     .frame_order = kNothing,
                     .contrastive = kNothing};
  const bool reads = weights.language > 0 && !batch.sequences.empty();
  const bool fills_in = weights.masked_text > 0 && !batch.masked.empty();
  std::optional<ContrastivePairs> pairs;
  if (weights.contrastive > 0) pairs.emplace(model);
  std::vector<Tensor> parts;
  std::vector<float> factors;
  const auto add = [&](const Tensor& loss, float weight) {
    parts.push_back(loss);
    factors.push_back(weight);
    return loss.item();
  };

  Tensor image_tokens_TC;
  std::vector<int64_t> token_offsets = {0};
  if (!batch.images.empty()) {
    const modality::ImageFeatures features =
        batch.features ? *batch.features : model.encode(pack_pictures(batch, compute));

    const bool labelled =
        std::any_of(batch.images.begin(), batch.images.end(), [](const auto& i) { return i.label >= 0; });
    if (weights.label > 0 && labelled) {
      const Tensor logits_NQ = model.classifier()(features, model.label_queries());
      LabelTargets targets;
      for (const TrainingImage& image : batch.images) targets.add(image.label, image.other_label, image.other_share);
      result.label = add(targets.loss(logits_NQ, weights.label_smoothing), weights.label);
    }
    const bool marked =
        std::any_of(batch.images.begin(), batch.images.end(), [](const auto& i) { return i.boxes_known; });
    if (weights.detection > 0 && marked) {
      const Detector::Output output = model.detector()(features, model.object_queries());
      const DetectionTargets targets = detection_targets(batch, output.grid, model.object_queries().count());
      const double objects = static_cast<double>(std::max<int64_t>(targets.objects, 1));
      result.center = add(ops::center_focal_loss(output.logits_PQ, targets.heat_PQ, objects), weights.detection);
      if (!targets.cells.empty()) {
        const auto count = static_cast<int64_t>(targets.cells.size());
        const Tensor predicted_R4 =
            ops::gather_rows(output.distances_P4, Tensor::from(targets.cells, {count}), DType::f32);
        result.box = add(ops::giou_loss(predicted_R4, Tensor::from(targets.distances, {count, 4}),
                                        Tensor::from(targets.weights, {count}), objects),
                         weights.detection * weights.box);
      }
    }
    if (pairs) {
      std::vector<const Called*> names;
      for (const TrainingImage& image : batch.images) names.push_back(&image.called);
      pairs->add("image", features, names);
    }
    if (reads || fills_in) image_tokens_TC = model.project(features, token_offsets);
  }

  RecordingTokens recorded;
  recorded.rows.resize(batch.recordings.size());
  int64_t rows_before = 0;
  std::vector<float> sense_losses;
  for (const Sense& sense : model.senses()) {
    const std::vector<size_t> recordings = recordings_of(batch, sense);
    if (recordings.empty()) continue;
    const modality::ImageFeatures features = encode_recordings(model, sense, batch, recordings, compute);
    const bool labelled =
        std::any_of(recordings.begin(), recordings.end(), [&](size_t i) { return batch.recordings[i].is_labelled(); });
    if (weights.label > 0 && labelled) {
      sense_losses.push_back(
          add(label_loss(sense, features, batch, recordings, weights.label_smoothing), weights.label));
    }
    if (pairs) {
      std::vector<const Called*> names;
      for (const size_t i : recordings) names.push_back(&batch.recordings[i].called);
      pairs->add(sense.kind().name, features, names);
    }
    if (!reads && !fills_in) continue;
    std::vector<int64_t> offsets;
    recorded.blocks_TC.push_back(sense.project(features, offsets));
    for (size_t i = 0; i < recordings.size(); ++i)
      recorded.rows[recordings[i]] = {rows_before + offsets[i], rows_before + offsets[i + 1]};
    rows_before += offsets.back();
  }
  if (!sense_losses.empty()) {
    result.sense =
        std::accumulate(sense_losses.begin(), sense_losses.end(), 0.0f) / static_cast<float>(sense_losses.size());
  }
  if (!recorded.blocks_TC.empty()) append_recordings(recorded, image_tokens_TC, token_offsets);

  if (reads || fills_in) {
    std::vector<const TokenSequence*> pointers;
    const auto add_all = [&](const std::vector<TokenSequence>& sequences) {
      for (const TokenSequence& sequence : sequences) pointers.push_back(&sequence);
    };
    if (reads) add_all(batch.sequences);
    const size_t first_masked = pointers.size();
    if (fills_in) add_all(batch.masked);
    ops::Sequences packed;
    const Tensor x_TC = model.embed(pointers, image_tokens_TC, token_offsets, compute, packed);
    const Tensor hidden_TC = model.decoder()(x_TC, packed, model.media_of(pointers, image_tokens_TC, token_offsets));
    result.text_tokens = hidden_TC.dim(0);
    NextTokens next, filled;
    for (size_t s = 0; s < pointers.size(); ++s)
      (s < first_masked ? next : filled).add(packed.offsets[s], pointers[s]->tokens, pointers[s]->weights);
    if (!next.empty()) result.language = add(next.loss(model.decoder(), hidden_TC), weights.language);
    if (!filled.empty()) result.masked_text = add(filled.loss(model.decoder(), hidden_TC), weights.masked_text);
  }
  const auto add_if_any = [&](const Tensor& loss, float weight, float& reported) {
    if (loss.defined()) reported = add(loss, weight);
  };
  if (pairs) add_if_any(pairs->loss(), weights.contrastive, result.contrastive);
  if (heads != nullptr && weights.masked_patches > 0)
    add_if_any(heads->masked_patches(model, batch, compute), weights.masked_patches, result.masked_patches);
  if (heads != nullptr && weights.frame_order > 0)
    add_if_any(heads->frame_order(model, batch, compute), weights.frame_order, result.frame_order);
  require(!parts.empty(), ErrorKind::usage, "the batch has nothing to learn from with these loss weights");
  result.total = ops::weighted_sum(parts, factors);
  return result;
}

}  // namespace sensorium::models
