#include "server/routes/chat_completions.h"

#include <fmt/format.h>

#include "generate/token_json.h"
#include "server/routes/openai_messages.h"
#include "server/routes/unavailable.h"

namespace sensorium::server {
namespace {

constexpr int64_t kMostSamples = 16;

struct Shape {
  bool stream = false, include_usage = false, log_probabilities = false;
  std::string model;
  std::shared_ptr<const Tools> tools;
};

class ChatSink : public AnswerSink {
 public:
  ChatSink(const Call& call, Shape shape, int64_t samples)
      : AnswerSink(call, Dialect::openai),
        shape_(std::move(shape)),
        id_(random_id("chatcmpl-")),
        created_s_(now_s()),
        held_(static_cast<size_t>(samples), HeldText(shape_.tools.get())),
        choices_(static_cast<size_t>(samples)),
        heats_(static_cast<size_t>(samples)) {}

  void started(int64_t prompt_tokens, int64_t reused_tokens) override {
    prompt_tokens_ = prompt_tokens;
    reused_tokens_ = reused_tokens;
    if (!shape_.stream) return;
    exchange_->start(event_stream());
    for (size_t i = 0; i < choices_.size(); ++i)
      chunk(static_cast<int64_t>(i), R"({"role":"assistant","content":"","refusal":null})", "", "null");
  }

  void text(int64_t sample, std::string_view piece, std::span<const generate::TokenLogProbabilities> log_probabilities,
            const text::Tokenizer& tokenizer) override {
    if (!shape_.stream) return;
    const std::string shown = held_[static_cast<size_t>(sample)].push(piece);
    std::string log_probs;
    if (!log_probabilities.empty())
      log_probs = log_json(log_probabilities, tokenizer).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
    if (!shown.empty() || !log_probs.empty())
      chunk(sample, R"({"content":)" + json_text(shown) + "}", log_probs, "null");
  }

  void heats(int64_t sample, const std::vector<models::AnswerHeat>& heats) override {
    if (!heats.empty()) heats_[static_cast<size_t>(sample)] = {{"heat", heats_json(heats)}};
  }

  void finished(int64_t sample, const generate::Generated& answer, const text::Tokenizer& tokenizer) override {
    generated_tokens_ += static_cast<int64_t>(answer.tokens.size());
    const SaidOrCalled said = read_answer(answer, shape_.tools.get());
    OrderedJson calls;
    if (said.call) {
      calls = OrderedJson::array({{{"id", random_id("call_")},
                                   {"type", "function"},
                                   {"function", {{"name", said.call->name}, {"arguments", said.call->arguments}}}}});
    }
    if (shape_.stream) {
      const std::string rest = held_[static_cast<size_t>(sample)].rest();
      if (said.call) {
        calls[0]["index"] = 0;
        chunk(sample, OrderedJson{{"tool_calls", calls}}.dump(), "", "null");
      } else if (!rest.empty()) {
        chunk(sample, R"({"content":)" + json_text(rest) + "}", "", "null");
      }
      OrderedJson delta = OrderedJson::object();
      add_found(delta, sample, answer);
      chunk(sample, delta.dump(-1, ' ', false, OrderedJson::error_handler_t::replace), "",
            fmt::format("\"{}\"", said.finish_reason));
      return;
    }
    OrderedJson message{
        {"role", "assistant"}, {"content", said.call ? OrderedJson() : OrderedJson(said.text)}, {"refusal", nullptr}};
    if (said.call) message["tool_calls"] = calls;
    add_found(message, sample, answer);
    choices_[static_cast<size_t>(sample)] = {
        {"index", sample},
        {"message", message},
        {"logprobs", shape_.log_probabilities ? log_json(answer.log_probabilities, tokenizer) : OrderedJson()},
        {"finish_reason", said.finish_reason}};
  }

  void done() override {
    const OrderedJson usage = usage_json(prompt_tokens_, reused_tokens_, generated_tokens_);
    if (!shape_.stream) {
      OrderedJson json{{"id", id_},
                       {"object", "chat.completion"},
                       {"created", created_s_},
                       {"model", shape_.model},
                       {"system_fingerprint", "sensorium-" SENSORIUM_VERSION}};
      json["choices"] = choices_;
      json["usage"] = usage;
      exchange_->send({.body = json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace)});
      return;
    }
    if (shape_.include_usage) event(fmt::format(R"({},"choices":[],"usage":{}}})", head(), usage.dump()));
    event("[DONE]");
    exchange_->finish();
  }

 private:
  static OrderedJson log_json(std::span<const generate::TokenLogProbabilities> tokens,
                              const text::Tokenizer& tokenizer) {
    OrderedJson content = OrderedJson::array();
    for (const generate::TokenLogProbabilities& token : tokens)
      content.push_back(generate::token_json(token, tokenizer));
    return {{"content", content}, {"refusal", nullptr}};
  }

  // What the answer rests on.
  void add_found(OrderedJson& message, int64_t sample, const generate::Generated& answer) const {
    if (!answer.answer.boxes.empty()) message["boxes"] = boxes_json(answer.answer.boxes);
    const OrderedJson& found = heats_[static_cast<size_t>(sample)];
    if (!found.is_null()) message["sensorium"] = found;
  }

  std::string head() {
    if (head_.empty()) {
      head_ = fmt::format(
          R"({{"id":"{}","object":"chat.completion.chunk","created":{},"model":{},"system_fingerprint":"sensorium-{}")",
          id_, created_s_, json_text(shape_.model), SENSORIUM_VERSION);
    }
    return head_;
  }

  // Written by hand: a chunk is made for every token of every client.
  void chunk(int64_t sample, std::string_view delta, std::string_view log_probs, std::string_view finish_reason) {
    event(fmt::format(R"({},"choices":[{{"index":{},"delta":{},"logprobs":{},"finish_reason":{}}}]{}}})", head(),
                      sample, delta, log_probs.empty() ? "null" : log_probs, finish_reason,
                      shape_.include_usage ? R"(,"usage":null)" : ""));
  }

  Shape shape_;
  std::string id_, head_;
  int64_t created_s_;
  std::vector<HeldText> held_;
  std::vector<OrderedJson> choices_, heats_;
};

}  // namespace

void chat_completions(Call& call) {
  const OrderedJson& body = call.body;
  Shape shape{.stream = bool_or(body, "stream", false), .model = string_or(body, "model", "")};
  Ask ask = begin_ask(call, shape.model);
  ask.job.messages = read_openai_messages(call, ask, body.at("messages"));
  if (const OrderedJson* modalities = member(body, "modalities")) require_text_output(*modalities);
  read_openai_sampling(body, ask);
  generate::GenerateOptions& options = ask.job.options;
  options.max_tokens = integer_or(body, "max_completion_tokens",
                                  integer_or(body, "max_tokens", options.max_tokens, 1, 1 << 20), 1, 1 << 20);
  ask.job.samples = integer_or(body, "n", 1, 1, kMostSamples);
  shape.log_probabilities = bool_or(body, "logprobs", false);
  if (shape.log_probabilities)
    options.top_log_probabilities =
        integer_or(body, "top_logprobs", 0, 0, generate::GenerateOptions::kMostTopLogProbabilities);
  if (const OrderedJson* format = member(body, "response_format")) read_openai_format(*format, ask, "response_format");
  offer_tools(ask, read_openai_tools(body));
  shape.tools = ask.tools;
  if (const OrderedJson* stream = member(body, "stream_options"))
    shape.include_usage = bool_or(*stream, "include_usage", false);
  if (const OrderedJson* own = member(body, "sensorium")) ask.job.tell_heats = bool_or(*own, "heat", false);
  auto sink = std::make_shared<ChatSink>(call, std::move(shape), ask.job.samples);
  submit(call, std::move(ask), std::move(sink));
}

}  // namespace sensorium::server
