// Task heads on the image encoder, queried by text: what the whole picture shows, and where things are.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "modality/image/encoder.h"
#include "models/sensorium/config.h"

namespace sensorium::models {

// A box in pixels: x0, y0 (top left), x1, y1 (bottom right).
struct Box {
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  float area() const { return std::max(0.0f, x1 - x0) * std::max(0.0f, y1 - y0); }
};
float intersection_over_union(const Box& a, const Box& b);

struct Detection {
  int query = 0;    // index into the queries that were asked
  float score = 0;  // 0..1
  Box box;          // in pixels of the prepared picture
};

// Phrases as token ids, packed, ready to be embedded.
struct Queries {
  Tensor tokens;                 // i32 [N]
  std::vector<int64_t> offsets;  // phrases + 1
  int64_t count() const { return static_cast<int64_t>(offsets.size()) - 1; }
};
Queries make_queries(const std::vector<std::vector<int32_t>>& phrases);

// Dense, text-queried detection on a grid of 1/8 of the side: each cell has a score per phrase (is an object's centre here?)
// and one box. Centre heat maps as in CenterNet (Zhou 2019), distances to the four sides as in FCOS (Tian 2019).
class Detector {
 public:
  static constexpr int kStride = 8;  // pixels per cell

  Detector() = default;
  Detector(nn::ParameterStore& store, const std::string& name, const modality::ImageEncoderConfig& image,
           const HeadsConfig& config, int64_t vocabulary);

  struct Output {
    Tensor logits_PQ;     // f32 or bf16: cell x phrase
    Tensor distances_P4;  // left, top, right, bottom from the cell's centre, in cells, positive
    ops::Pictures grid;
  };
  Output operator()(const modality::ImageFeatures& features, const Queries& queries) const;

  // Peaks of the heat maps, best first, after non-maximum suppression; thresholds[q] is the least score of phrase q.
  // One list per picture; boxes are cut to the picture's `sizes` (pixels).
  std::vector<std::vector<Detection>> detect(const Output& output, const ops::Pictures& sizes,
                                             const std::vector<double>& thresholds, int max_detections = 200) const;

 private:
  nn::Linear lift_;
  nn::ConvNorm fuse_, center_, size_;
  nn::Linear center_out_, size_out_;
  Tensor embedding_, bias_;
  nn::Linear query_;
};

// Scores of phrases for whole pictures, or windows of recordings: logits [pictures, phrases]; softmax over the phrases in
// question gives probabilities.
class Classifier {
 public:
  Classifier() = default;
  // `dim`: of the encoder's tokens.
  Classifier(nn::ParameterStore& store, const std::string& name, int64_t dim, int64_t query_dim, int64_t vocabulary);
  Tensor operator()(const modality::ImageFeatures& features, const Queries& queries) const;
  // What each of the encoder's tokens adds to them, f32 [tokens, phrases]: their mean over a picture is its logit.
  Tensor contributions(const modality::ImageFeatures& features, const Queries& queries) const;

 private:
  nn::Linear pool_;
  Tensor embedding_;
  nn::Linear query_;
};

}  // namespace sensorium::models
