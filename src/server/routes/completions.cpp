#include "server/routes/completions.h"

#include <fmt/format.h>

#include <atomic>

#include "base/utf8.h"
#include "server/routes/openai_messages.h"

namespace sensorium::server {
namespace {

constexpr size_t kMostPrompts = 64;

// What the answers to all prompts of a request go into.
struct Collected {
  std::string id = random_id("cmpl-"), model;
  int64_t created_s = now_s();
  std::vector<OrderedJson> choices;
  int64_t prompt_tokens = 0, reused_tokens = 0, generated_tokens = 0;
  size_t open = 0;                  // prompts without their answers
  std::atomic<bool> failed{false};  // whoever sets it tells the client
  bool stream = false, include_usage = false;

  OrderedJson json(OrderedJson choices_json) const {
    return {{"id", id},
            {"object", "text_completion"},
            {"created", created_s},
            {"model", model},
            {"choices", std::move(choices_json)}};
  }
};

// One prompt's. All jobs of a request tell the same thread, the scheduler's.
class CompletionSink : public AnswerSink {
 public:
  CompletionSink(const Call& call, std::shared_ptr<Collected> all, size_t first, std::string echo)
      : AnswerSink(call, Dialect::openai), all_(std::move(all)), first_(first), echo_(std::move(echo)) {}

  bool wanted() const override { return !all_->failed && AnswerSink::wanted(); }
  void started(int64_t prompt_tokens, int64_t reused_tokens) override {
    all_->prompt_tokens += prompt_tokens;
    all_->reused_tokens += reused_tokens;
    if (all_->stream && !exchange_->started()) exchange_->start(event_stream());
    if (all_->stream && !echo_.empty()) chunk(0, echo_, OrderedJson());
  }
  void text(int64_t sample, std::string_view piece, std::span<const generate::TokenLogProbabilities>,
            const text::Tokenizer&) override {
    if (all_->stream && !piece.empty()) chunk(sample, piece, OrderedJson());
  }
  void finished(int64_t sample, const generate::Generated& answer, const text::Tokenizer& tokenizer) override {
    all_->generated_tokens += static_cast<int64_t>(answer.tokens.size());
    const char* reason = read_answer(answer, nullptr).finish_reason;
    if (all_->stream) {
      chunk(sample, "", reason);
      return;
    }
    const size_t index = first_ + static_cast<size_t>(sample);
    all_->choices[index] = {{"text", echo_ + answer.answer.text},
                            {"index", index},
                            {"logprobs", log_json(answer, tokenizer)},
                            {"finish_reason", reason}};
  }
  void done() override {
    if (--all_->open > 0 || all_->failed) return;
    const OrderedJson usage = usage_json(all_->prompt_tokens, all_->reused_tokens, all_->generated_tokens);
    if (all_->stream) {
      OrderedJson last = all_->json(OrderedJson::array());
      last["usage"] = usage;
      if (all_->include_usage) event(last.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
      event("[DONE]");
      exchange_->finish();
      return;
    }
    OrderedJson json = all_->json(all_->choices);
    json["usage"] = usage;
    exchange_->send({.body = json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace)});
  }
  void failed(Fault fault, const Error& error) override {
    if (all_->failed.exchange(true)) return;
    AnswerSink::failed(fault, error);
  }

 private:
  void chunk(int64_t sample, std::string_view text, const OrderedJson& reason) {
    const OrderedJson choice{{"text", text},
                             {"index", first_ + static_cast<size_t>(sample)},
                             {"logprobs", nullptr},
                             {"finish_reason", reason}};
    event(all_->json(OrderedJson::array({choice})).dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
  }
  OrderedJson log_json(const generate::Generated& answer, const text::Tokenizer& tokenizer) const {
    if (answer.log_probabilities.empty()) return nullptr;
    OrderedJson json{{"text_offset", OrderedJson::array()},
                     {"token_logprobs", OrderedJson::array()},
                     {"tokens", OrderedJson::array()},
                     {"top_logprobs", OrderedJson::array()}};
    size_t offset = echo_.size();
    for (const generate::TokenLogProbabilities& token : answer.log_probabilities) {
      json["text_offset"].push_back(offset);
      json["token_logprobs"].push_back(token.chosen.log_probability);
      json["tokens"].push_back(repair_utf8(tokenizer.token_bytes(token.chosen.token)));
      OrderedJson top = OrderedJson::object();
      for (const generate::TokenProbability& other : token.top)
        top[repair_utf8(tokenizer.token_bytes(other.token))] = other.log_probability;
      json["top_logprobs"].push_back(top);
      offset += tokenizer.token_bytes(token.chosen.token).size();
    }
    return json;
  }

  std::shared_ptr<Collected> all_;
  size_t first_;
  std::string echo_;
};

std::vector<std::string> read_prompts(const OrderedJson& prompt) {
  if (prompt.is_string()) return {prompt.get<std::string>()};
  std::vector<std::string> prompts;
  for (const OrderedJson& text : prompt) {
    if (!text.is_string())
      throw ApiError(400, "\"prompt\" is a text or a list of texts; tokens are not taken", "invalid_value", "prompt");
    prompts.push_back(text.get<std::string>());
  }
  if (prompts.empty() || prompts.size() > kMostPrompts)
    throw ApiError(400, fmt::format("\"prompt\" has {} texts, expected 1..{}", prompts.size(), kMostPrompts),
                   "invalid_value", "prompt");
  return prompts;
}

}  // namespace

void completions(Call& call) {
  const OrderedJson body = call.body;
  const std::vector<std::string> prompts = read_prompts(body.at("prompt"));
  auto all = std::make_shared<Collected>();
  all->model = string_or(body, "model", "");
  all->stream = bool_or(body, "stream", false);
  if (const OrderedJson* options = member(body, "stream_options"))
    all->include_usage = bool_or(*options, "include_usage", false);
  if (all->stream && prompts.size() > 1)
    throw ApiError(400, "one prompt at a time can be streamed", "invalid_value", "prompt");
  Ask ask = begin_ask(call, all->model);
  read_openai_sampling(body, ask);
  ask.job.options.max_tokens = integer_or(body, "max_tokens", ask.job.options.max_tokens, 1, 1 << 20);
  ask.job.samples = integer_or(body, "n", 1, 1, 16);
  ask.job.options.top_log_probabilities =
      integer_or(body, "logprobs", -1, 0, generate::GenerateOptions::kMostTopLogProbabilities);
  const auto samples = static_cast<size_t>(ask.job.samples);
  all->choices.resize(prompts.size() * samples);
  all->open = prompts.size();
  const bool echo = bool_or(body, "echo", false);
  for (size_t i = 0; i < prompts.size(); ++i) {
    Ask one = ask;
    one.job.messages = {{.role = "user", .parts = {{.text = prompts[i]}}}};
    try {
      submit(call, std::move(one), std::make_shared<CompletionSink>(call, all, i * samples, echo ? prompts[i] : ""));
    } catch (const Error&) {
      if (all->failed.exchange(true)) return;  // an earlier prompt's job has told the client already
      throw;
    }
  }
}

}  // namespace sensorium::server
