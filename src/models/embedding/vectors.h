// Arithmetic of embeddings, and what they are used for without training.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/embedding/embedder.h"

namespace sensorium::models {

// Rows f32 [N, dim] of unit length. A row of zeros stays one.
Tensor unit_rows(const Tensor& vectors_NC);

// The sum of the rows, each of unit length times its weight -> [1, dim], of unit length. (ImageBind's paper, 3.4: weights of 0.5.)
Tensor combine(const Tensor& vectors_NC, std::span<const float> weights);

// What a label is written into, "{}" standing for it; by the sense that is classified.
std::vector<std::string> prompt_templates(InputSense sense);

// The vectors of labels, [labels, dim]: of each the mean of those of its texts (the templates filled with it), all of unit length, and
// then as long as the model makes a text's. Throws Error(usage) without labels or templates, or for a template without "{}".
Tensor label_vectors(const Embedder& embedder, std::span<const std::string> labels,
                     std::span<const std::string> templates);

// Probabilities of the labels for an input; they sum to 1. Throws as label_vectors and the embedder.
std::vector<float> classify_input(const Embedder& embedder, const EmbedInput& input,
                                  std::span<const std::string> labels, std::span<const std::string> templates);

}  // namespace sensorium::models
