// Legend: N vectors, C numbers of a vector.
#include "models/embedding/vectors.h"

#include <algorithm>
#include <cmath>

#include "ops/ops.h"

namespace sensorium::models {

Tensor unit_rows(const Tensor& vectors_NC) {
  const NoGrad no_grad;
  return ops::l2_normalize(vectors_NC, 1e-12f);
}

Tensor combine(const Tensor& vectors_NC, std::span<const float> weights) {
  require(vectors_NC.rank() == 2 && vectors_NC.dim(0) == static_cast<int64_t>(weights.size()), ErrorKind::shape,
          "{} weights for vectors {}", weights.size(), vectors_NC.shape());
  const Tensor unit_NC = unit_rows(vectors_NC);
  const Tensor sum_1C = Tensor::zeros({1, vectors_NC.dim(1)});
  for (size_t i = 0; i < weights.size(); ++i) {
    const float* from = unit_NC.data<float>() + static_cast<int64_t>(i) * unit_NC.dim(1);
    for (int64_t c = 0; c < unit_NC.dim(1); ++c) sum_1C.data<float>()[c] += weights[i] * from[c];
  }
  return unit_rows(sum_1C);
}

std::vector<std::string> prompt_templates(InputSense sense) {
  switch (sense) {
    case InputSense::image:
    case InputSense::video:
      return {"{}", "a photo of {}.", "a picture of {}."};
    case InputSense::audio:
      return {"{}", "the sound of {}."};
    case InputSense::depth:
      return {"{}", "a depth map of {}."};
    case InputSense::thermal:
      return {"{}", "a thermal image of {}."};
    case InputSense::text:
    case InputSense::imu:
      break;
  }
  return {"{}"};
}

Tensor label_vectors(const Embedder& embedder, std::span<const std::string> labels,
                     std::span<const std::string> templates) {
  require(!labels.empty(), ErrorKind::usage, "there are no labels to choose from");
  require(!templates.empty(), ErrorKind::usage, "there is no template to write the labels into");
  std::vector<EmbedInput> texts;
  for (const std::string& label : labels) {
    for (const std::string& pattern : templates) {
      const size_t at = pattern.find("{}");
      require(at != std::string::npos, ErrorKind::usage, "the template \"{}\" has no {{}} for the label", pattern);
      std::string text = pattern;
      texts.push_back({.sense = InputSense::text, .text = text.replace(at, 2, label), .name = label});
    }
  }
  const Tensor texts_NC = embedder.embed(texts);
  const int64_t per_label = static_cast<int64_t>(templates.size()), dim = texts_NC.dim(1);
  const std::vector<float> weights(templates.size(), 1.0f);
  const Tensor labels_NC = Tensor::empty({static_cast<int64_t>(labels.size()), dim});
  for (int64_t i = 0; i < labels_NC.dim(0); ++i) {
    const Tensor own = texts_NC.slice(i * per_label, (i + 1) * per_label), mean_1C = combine(own, weights);
    double square = 0;
    for (const float value : own.slice(0, 1).span<float>()) square += static_cast<double>(value) * value;
    labels_NC.slice(i, i + 1).copy_from(ops::scale(mean_1C, static_cast<float>(std::sqrt(square))));
  }
  return labels_NC;
}

std::vector<float> classify_input(const Embedder& embedder, const EmbedInput& input,
                                  std::span<const std::string> labels, std::span<const std::string> templates) {
  const Tensor labels_NC = label_vectors(embedder, labels, templates);
  const Tensor logits = embedder.compare(embedder.embed({&input, 1}), labels_NC);
  const std::span<const float> values = logits.span<float>();
  const double high = *std::max_element(values.begin(), values.end());
  double total = 0;
  for (const float value : values) total += std::exp(value - high);
  std::vector<float> probabilities;
  for (const float value : values) probabilities.push_back(static_cast<float>(std::exp(value - high) / total));
  return probabilities;
}

}  // namespace sensorium::models
