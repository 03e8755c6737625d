#include "server/routes/embeddings.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "base/base64.h"
#include "server/routes/embed_task.h"

namespace sensorium::server {
namespace {

constexpr size_t kMostInputs = 2048;

static_assert(std::endian::native == std::endian::little, "base64 answers are copies of memory");

OrderedJson vector_json(const std::vector<float>& vector, bool base64) {
  if (!base64) return vector;
  return base64_encode(std::string_view(reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)));
}

EmbedItem read_item(const Call& call, const OrderedJson& input) {
  if (input.is_string()) {
    if (input.get_ref<const std::string&>().empty())
      throw ApiError(400, "\"input\" holds an empty text", "invalid_value", "input");
    return text_item(input.get<std::string>());
  }
  if (input.is_number() || input.is_array())
    throw ApiError(400, "\"input\" holds tokens, which are another model's; send the text", "invalid_value", "input");
  if (!input.is_object())
    throw ApiError(400, "\"input\" holds something that is neither a text nor a part", "invalid_value", "input");
  EmbedItem item;
  const OrderedJson* content = member(input, "content");
  if (content == nullptr) {
    item.terms.push_back(openai_embed_input(call, input));
  } else if (content->is_array() && !content->empty()) {
    for (const OrderedJson& part : *content) item.terms.push_back(openai_embed_input(call, part));
  } else {
    throw ApiError(400, "\"content\" is no list of parts", "invalid_value", "input");
  }
  return item;
}

class EmbeddingsSink : public AnswerSink {
 public:
  EmbeddingsSink(const Call& call, std::string model, bool base64, std::shared_ptr<const EmbedTask> task)
      : AnswerSink(call, Dialect::openai), model_(std::move(model)), base64_(base64), task_(std::move(task)) {}
  void done() override {
    OrderedJson data = OrderedJson::array();
    for (const std::vector<float>& vector : task_->vectors())
      data.push_back({{"object", "embedding"}, {"index", data.size()}, {"embedding", vector_json(vector, base64_)}});
    OrderedJson json{{"object", "list"}, {"data", std::move(data)}, {"model", model_}};
    json["usage"] = {{"prompt_tokens", task_->text_tokens()}, {"total_tokens", task_->text_tokens()}};
    exchange_->send({.body = json.dump()});
  }

 private:
  std::string model_;
  bool base64_;
  std::shared_ptr<const EmbedTask> task_;
};

}  // namespace

void embeddings(Call& call) {
  const OrderedJson& body = call.body;
  const std::string model = string_or(body, "model", "");
  Ask ask = begin_ask(call, model);
  const std::string format = string_or(body, "encoding_format", "float");
  if (format != "float" && format != "base64")
    throw ApiError(400, "\"encoding_format\" is neither float nor base64", "invalid_value", "encoding_format");
  std::optional<int64_t> dimensions;
  if (member(body, "dimensions") != nullptr) dimensions = integer_or(body, "dimensions", 0, 1, 1 << 20);
  const OrderedJson& given = body.at("input");
  const OrderedJson inputs = given.is_array() ? given : OrderedJson::array({given});
  if (inputs.empty() || inputs.size() > kMostInputs)
    throw ApiError(400, fmt::format("\"input\" holds {} inputs, expected 1..{}", inputs.size(), kMostInputs),
                   "invalid_value", "input");
  std::vector<EmbedItem> items;
  size_t media_count = 0;
  for (const OrderedJson& input : inputs) {
    items.push_back(read_item(call, input));
    count_media(call, items.back(), media_count);
  }
  auto task = std::make_shared<EmbedTask>(std::move(items), dimensions);
  ask.job.task = task;
  submit(call, std::move(ask), std::make_shared<EmbeddingsSink>(call, model, format == "base64", std::move(task)));
}

}  // namespace sensorium::server
