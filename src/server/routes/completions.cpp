#include "server/routes/completions.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <limits>

#include "base/utf8.h"
#include "server/routes/openai_messages.h"

namespace sensorium::server {
namespace {

constexpr size_t kMostPrompts = 64;

// Of UTF-8, also where it begins or ends inside a character: one that comes in several tokens counts with its first.
size_t characters(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

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
  // `echo`: the prompt that the answers begin with.
  CompletionSink(const Call& call, std::shared_ptr<Collected> all, size_t first, size_t samples,
                 std::optional<RawPrompt> echo)
      : AnswerSink(call, Dialect::openai),
        all_(std::move(all)),
        first_(first),
        samples_(samples, {.echo = std::move(echo), .text_offset = 0}) {}

  bool wanted() const override { return !all_->failed && AnswerSink::wanted(); }
  void started(int64_t prompt_tokens, int64_t reused_tokens) override {
    all_->prompt_tokens += prompt_tokens;
    all_->reused_tokens += reused_tokens;
    if (all_->stream && !exchange_->started()) exchange_->start(event_stream());
  }
  void text(int64_t sample, std::string_view piece, std::span<const generate::TokenLogProbabilities> log_probabilities,
            const text::Tokenizer& tokenizer) override {
    if (!all_->stream) return;
    const std::string shown = take_echo(sample, tokenizer).append(piece);
    const OrderedJson log_probs = log_json(sample, log_probabilities, tokenizer);
    if (!shown.empty() || !log_probs.is_null()) chunk(choice(sample, shown, log_probs, OrderedJson()));
  }
  void finished(int64_t sample, const generate::Generated& answer, const text::Tokenizer& tokenizer) override {
    all_->generated_tokens += static_cast<int64_t>(answer.tokens.size());
    const char* reason = read_answer(answer, nullptr).finish_reason;
    const std::string echo = take_echo(sample, tokenizer);
    if (all_->stream) {
      chunk(choice(sample, echo, OrderedJson(), reason));
      return;
    }
    all_->choices[first_ + static_cast<size_t>(sample)] =
        choice(sample, echo + answer.answer.text, log_json(sample, answer.log_probabilities, tokenizer), reason);
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
  struct Sample {
    std::optional<RawPrompt> echo;  // until it has been told
    size_t text_offset;             // of the next token, in characters of the choice's text
  };

  OrderedJson choice(int64_t sample, std::string_view text, OrderedJson log_probs, const OrderedJson& reason) const {
    return {{"text", text},
            {"index", first_ + static_cast<size_t>(sample)},
            {"logprobs", std::move(log_probs)},
            {"finish_reason", reason}};
  }
  void chunk(OrderedJson one) const {
    event(all_->json(OrderedJson::array({std::move(one)})).dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
  }
  std::string take_echo(int64_t sample, const text::Tokenizer& tokenizer) {
    Sample& state = samples_[static_cast<size_t>(sample)];
    const std::optional<RawPrompt> echo = std::exchange(state.echo, std::nullopt);
    if (!echo) return {};
    const auto* const text = std::get_if<std::string>(&*echo);
    std::string told = text != nullptr ? *text : tokenizer.decode(std::get<std::vector<int32_t>>(*echo));
    state.text_offset += characters(told);
    return told;
  }
  OrderedJson log_json(int64_t sample, std::span<const generate::TokenLogProbabilities> tokens,
                       const text::Tokenizer& tokenizer) {
    if (tokens.empty()) return nullptr;
    OrderedJson json{{"text_offset", OrderedJson::array()},
                     {"token_logprobs", OrderedJson::array()},
                     {"tokens", OrderedJson::array()},
                     {"top_logprobs", OrderedJson::array()}};
    size_t& offset = samples_[static_cast<size_t>(sample)].text_offset;
    for (const generate::TokenLogProbabilities& token : tokens) {
      json["text_offset"].push_back(offset);
      json["token_logprobs"].push_back(token.chosen.log_probability);
      json["tokens"].push_back(repair_utf8(tokenizer.token_bytes(token.chosen.token)));
      OrderedJson top = OrderedJson::object();
      for (const generate::TokenProbability& other : token.top)
        top[repair_utf8(tokenizer.token_bytes(other.token))] = other.log_probability;
      json["top_logprobs"].push_back(top);
      offset += characters(tokenizer.token_bytes(token.chosen.token));
    }
    return json;
  }

  std::shared_ptr<Collected> all_;
  size_t first_;
  std::vector<Sample> samples_;
};

ApiError bad_prompt(const std::string& message) { return {400, message, "invalid_value", "prompt"}; }

std::vector<int32_t> read_tokens(const OrderedJson& list) {
  std::vector<int32_t> tokens;
  for (const OrderedJson& token : list) {
    const bool fits = token.is_number_integer() && token.get<int64_t>() >= 0 &&
                      token.get<int64_t>() <= std::numeric_limits<int32_t>::max();
    if (!fits) throw bad_prompt("a list of tokens in \"prompt\" holds something else than ids of tokens");
    tokens.push_back(token.get<int32_t>());
  }
  return tokens;
}

// A text, a list of texts, a list of tokens, or a list of such lists.
std::vector<RawPrompt> read_prompts(const OrderedJson& prompt) {
  if (prompt.is_string()) return {prompt.get<std::string>()};
  if (!prompt.empty() && prompt.front().is_number()) return {read_tokens(prompt)};
  std::vector<RawPrompt> prompts;
  for (const OrderedJson& one : prompt) {
    if (!one.is_string() && !one.is_array())
      throw bad_prompt("\"prompt\" is neither a text, nor tokens, nor a list of such");
    if (one.is_string()) {
      prompts.emplace_back(one.get<std::string>());
    } else {
      prompts.emplace_back(read_tokens(one));
    }
  }
  if (prompts.empty() || prompts.size() > kMostPrompts)
    throw bad_prompt(fmt::format("\"prompt\" has {} texts, expected 1..{}", prompts.size(), kMostPrompts));
  return prompts;
}

}  // namespace

void completions(Call& call) {
  const OrderedJson body = call.body;
  const std::vector<RawPrompt> prompts = read_prompts(body.at("prompt"));
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
    one.job.prompt = prompts[i];
    try {
      submit(call, std::move(one),
             std::make_shared<CompletionSink>(call, all, i * samples, samples,
                                              echo ? std::optional(prompts[i]) : std::nullopt));
    } catch (const Error&) {
      if (all->failed.exchange(true)) return;  // an earlier prompt's job has told the client already
      throw;
    }
  }
}

}  // namespace sensorium::server
