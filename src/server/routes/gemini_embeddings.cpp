#include "server/routes/gemini_embeddings.h"

#include <fmt/format.h>

#include "server/routes/embed_task.h"
#include "server/routes/gemini_parts.h"

namespace sensorium::server {
namespace {

constexpr size_t kMostRequests = 2048;

// Texts that follow one another are one.
EmbedItem read_item(const Call& call, const OrderedJson& content) {
  if (content.is_string()) return text_item(content.get<std::string>());
  const OrderedJson* given = member(content, "parts");
  const OrderedJson parts = given == nullptr    ? OrderedJson::array()
                            : given->is_array() ? *given
                                                : OrderedJson::array({*given});
  EmbedItem item;
  std::string text;
  const auto end_text = [&] {
    if (!text.empty()) item.terms.push_back(text_item(std::exchange(text, {})).terms.front());
  };
  for (const OrderedJson& part : parts) {
    if (const std::optional<SentMedia> media = gemini_part_media(call, part)) {
      end_text();
      item.terms.push_back(call.services.media.embed_input(*media));
    } else {
      text += (text.empty() ? "" : "\n") + text_of(member(part, "text"));
    }
  }
  end_text();
  if (item.terms.empty()) throw ApiError(400, "a content has no parts with text or data", "", "content");
  return item;
}

OrderedJson values_json(const std::vector<float>& vector) { return {{"values", vector}}; }

class GeminiEmbedSink : public AnswerSink {
 public:
  GeminiEmbedSink(const Call& call, bool batch, std::shared_ptr<const EmbedTask> task)
      : AnswerSink(call, Dialect::gemini), batch_(batch), task_(std::move(task)) {}
  void done() override {
    OrderedJson json;
    if (batch_) {
      json["embeddings"] = OrderedJson::array();
      for (const std::vector<float>& vector : task_->vectors()) json["embeddings"].push_back(values_json(vector));
    } else {
      json["embedding"] = values_json(task_->vectors().front());
    }
    json["usageMetadata"] = {{"promptTokenCount", task_->text_tokens()}};
    exchange_->send({.body = json.dump()});
  }

 private:
  bool batch_;
  std::shared_ptr<const EmbedTask> task_;
};

void embed(Call& call, const OrderedJson& requests, bool batch) {
  Ask ask = begin_ask(call, call.values[0]);
  if (requests.empty() || requests.size() > kMostRequests)
    throw ApiError(400, fmt::format("there are {} requests, expected 1..{}", requests.size(), kMostRequests), "",
                   "requests");
  std::vector<EmbedItem> items;
  size_t media_count = 0;
  std::optional<int64_t> dimensions;
  for (const OrderedJson& request : requests) {
    const OrderedJson* content = member(request, "content");
    if (content == nullptr) throw ApiError(400, "a request has no content", "", "requests");
    items.push_back(read_item(call, *content));
    count_media(call, items.back(), media_count);
    const OrderedJson* wanted = either(request, "outputDimensionality");
    // The requests of a batch share a model and, in every client, the length of their vectors.
    if (wanted != nullptr)
      dimensions = integer_or({{"outputDimensionality", *wanted}}, "outputDimensionality", 0, 1, 1 << 20);
  }
  auto task = std::make_shared<EmbedTask>(std::move(items), dimensions);
  ask.job.task = task;
  submit(call, std::move(ask), std::make_shared<GeminiEmbedSink>(call, batch, std::move(task)));
}

}  // namespace

void gemini_embed(Call& call) { embed(call, OrderedJson::array({call.body}), false); }
void gemini_batch_embed(Call& call) {
  const OrderedJson requests = call.body.at("requests");
  embed(call, requests, true);
}

}  // namespace sensorium::server
