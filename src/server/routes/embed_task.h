// Vectors of texts and media by a model with a joint space, for the routes that answer with them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/routes/ask.h"
#include "server/routes/media_source.h"

namespace sensorium::server {

// What becomes one vector: an input, or several whose unit vectors are added.
struct EmbedItem {
  std::vector<MediaInput> terms;
};
EmbedItem text_item(std::string text);
// A part of a message in OpenAI's form; {"sense": "thermal"} beside a picture says that it shows heat. Throws ApiError.
MediaInput openai_embed_input(const Call& call, const OrderedJson& part);

class EmbedTask : public ModelTask {
 public:
  // `dimensions`: so many of a vector's first numbers, made one long again.
  EmbedTask(std::vector<EmbedItem> items, std::optional<int64_t> dimensions)
      : items_(std::move(items)), dimensions_(dimensions) {}
  bool step(const std::shared_ptr<const models::Model>& model) override;

  // Once it is done: one f32 vector of unit length for each item.
  const std::vector<std::vector<float>>& vectors() const { return vectors_; }
  int64_t text_tokens() const { return text_tokens_; }

 private:
  std::vector<EmbedItem> items_;
  std::optional<int64_t> dimensions_;
  std::vector<std::vector<float>> vectors_;
  int64_t text_tokens_ = 0;
};

// Adds an item's media to the request's. Throws ApiError beyond the limit.
void count_media(const Call& call, const EmbedItem& item, size_t& media_count);
// Throws ApiError for a model that makes no vectors.
const models::Embedder& require_embedder(const models::Model& model);

}  // namespace sensorium::server
