// Models that do nothing but embed: what they answer to everything else.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/embedding/embedder.h"
#include "models/model.h"

namespace sensorium::models {

class EmbeddingModel : public Model, public Embedder {
 public:
  const Embedder* embedder() const override { return this; }

  // Softmax of compare() over the labels, which are embedded as they are: "a photo of a cat".
  std::vector<float> classify(const media::Image& image, std::span<const std::string> labels) const override;
  // These throw Error(unsupported): nothing is generated or found.
  std::unique_ptr<ChatSession> start(std::span<const ChatMessage> messages) const override;
  std::vector<AnswerBox> find_objects(const media::Image& image, std::span<const std::string> phrases) const override;
  std::pair<double, int64_t> text_nll(std::string_view text) const override;

  const nn::ParameterStore& store() const override { return store_; }
  DType compute() const { return compute_; }

 protected:
  EmbeddingModel(std::string name, std::string family, DType compute)
      : name_(std::move(name)), family_(std::move(family)), compute_(compute) {}

  std::string name_, family_;
  DType compute_;
  nn::ParameterStore store_;
};

// Cuts the ids of a text to `context`, its last one (the end token) kept; whether anything was cut.
bool cut_to_context(std::vector<int32_t>& ids, int64_t context);

}  // namespace sensorium::models
