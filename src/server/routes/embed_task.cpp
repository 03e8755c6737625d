#include "server/routes/embed_task.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/embedding/vectors.h"
#include "server/routes/openai_messages.h"

namespace sensorium::server {
namespace {

// Inputs of one pass: enough to share the reading of weights, few enough that answers of others do not wait long.
constexpr size_t kTermsOfStep = 4;

// The first numbers of a vector of unit length, of unit length again. Zeros stay.
void shorten(std::vector<float>& vector, int64_t dimensions) {
  vector.resize(static_cast<size_t>(dimensions));
  const double squares = std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0);
  if (squares <= 0) return;
  const auto scale = static_cast<float>(1.0 / std::sqrt(squares));
  for (float& value : vector) value *= scale;
}

}  // namespace

const models::Embedder& require_embedder(const models::Model& model) {
  if (const models::Embedder* embedder = model.embedder()) return *embedder;
  throw ApiError(400, "this model makes no embeddings; that needs one with a joint space, such as CLIP or ImageBind",
                 "unsupported_model", "model");
}

void count_media(const Call& call, const EmbedItem& item, size_t& media_count) {
  media_count += static_cast<size_t>(std::ranges::count_if(
      item.terms, [](const MediaInput& term) { return term.input.sense != models::InputSense::text; }));
  if (media_count > call.services.media.max_parts())
    throw ApiError(400,
                   fmt::format("there are more than {} pictures, sounds and films", call.services.media.max_parts()),
                   "too_many_media", "input");
}

EmbedItem text_item(std::string text) {
  return {{{.input = {.sense = models::InputSense::text, .text = std::move(text), .name = "the text"}}}};
}

MediaInput openai_embed_input(const Call& call, const OrderedJson& part) {
  if (!part.is_object()) throw ApiError(400, "a part is no object", "invalid_value", "input");
  const std::optional<SentMedia> media = openai_part_media(call, part);
  if (!media) return text_item(openai_part_text(part)).terms.front();
  std::optional<models::InputSense> sense;
  if (const std::string name = string_or(part, "sense", ""); !name.empty()) {
    sense = models::find_sense(name);
    if (!sense) throw ApiError(400, fmt::format("there is no sense \"{}\"", name), "invalid_value", "input");
  }
  return call.services.media.embed_input(*media, sense);
}

bool EmbedTask::step(const std::shared_ptr<const models::Model>& model) {
  const models::Embedder& embedder = require_embedder(*model);
  if (dimensions_ && *dimensions_ > embedder.embedding_dim())
    throw ApiError(400,
                   fmt::format("\"dimensions\" is {}, the model's vectors have {} numbers", *dimensions_,
                               embedder.embedding_dim()),
                   "invalid_value", "dimensions");
  std::vector<models::EmbedInput> inputs;
  size_t last = vectors_.size();
  while (last < items_.size() && (inputs.empty() || inputs.size() + items_[last].terms.size() <= kTermsOfStep)) {
    for (const MediaInput& term : items_[last].terms) {
      inputs.push_back(term.input);
      if (term.input.sense == models::InputSense::text)
        text_tokens_ += static_cast<int64_t>(model->tokenizer().encode(term.input.text).size());
    }
    ++last;
  }
  const Tensor all_NC = embedder.embed(inputs);
  int64_t begin = 0;
  for (size_t i = vectors_.size(); i < last; ++i) {
    const auto count = static_cast<int64_t>(items_[i].terms.size());
    const Tensor own = all_NC.slice(begin, begin + count);
    begin += count;
    vectors_.push_back(
        (count == 1 ? models::unit_rows(own) : models::combine(own, std::vector<float>(items_[i].terms.size(), 1.0f)))
            .to_floats());
    if (dimensions_) shorten(vectors_.back(), *dimensions_);
    items_[i].terms.clear();
  }
  return vectors_.size() == items_.size();
}

}  // namespace sensorium::server
