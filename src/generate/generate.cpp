#include "generate/generate.h"

#include <algorithm>
#include <numeric>

#include "base/interrupt.h"

namespace sensorium::generate {

void check_options(const GenerateOptions& options) {
  require(options.max_tokens > 0, ErrorKind::usage, "max-tokens {} is not positive", options.max_tokens);
  const int64_t top = options.top_log_probabilities;
  require(top >= GenerateOptions::kNoLogProbabilities && top <= GenerateOptions::kMostTopLogProbabilities,
          ErrorKind::usage, "logprobs {} is outside 0..{}", top, GenerateOptions::kMostTopLogProbabilities);
  (void)Sampler(options.sampling);
  (void)StopStrings(options.stop);
}

Generation::Generation(models::ChatSession& session, const GenerateOptions& options, OnText on_text)
    : session_(session),
      options_(options),
      on_text_(std::move(on_text)),
      sampler_(options.sampling, session.prompt_ids()),
      stop_strings_(options.stop),
      stream_(session.stream()) {
  check_options(options);
  if (!options.constraint) return;
  matcher_.emplace(options.constraint);
  const auto vocabulary = static_cast<int32_t>(session.logits().size());
  for (int32_t token = 0; token < vocabulary; ++token) {
    if (session.is_end(token)) end_tokens_.push_back(token);
  }
}

void Generation::tell(const std::string& text) {
  if (text.empty()) return;
  text_ += text;
  if (on_text_) on_text_(text);
}

std::optional<int32_t> Generation::choose() {
  if (!matcher_) {
    const int32_t token = session_.grounded(sampler_.choose(session_.logits()));
    return session_.is_end(token) ? std::nullopt : std::optional(token);
  }
  const std::span<const uint64_t> following = matcher_->allowed();
  const bool may_go_on = std::any_of(following.begin(), following.end(), [](uint64_t word) { return word != 0; });
  if (!may_go_on && matcher_->may_end()) return std::nullopt;
  std::vector<uint64_t> allowed(following.begin(), following.end());
  allowed.resize(std::max(allowed.size(), session_.logits().size() / 64 + 1));
  for (const int32_t end : end_tokens_) {
    uint64_t& word = allowed[static_cast<size_t>(end) / 64];
    const uint64_t bit = uint64_t{1} << (end % 64);
    word = matcher_->may_end() ? word | bit : word & ~bit;
  }
  const int32_t chosen = sampler_.choose(session_.logits(), allowed);
  if (session_.is_end(chosen)) return std::nullopt;
  const int32_t grounded = session_.grounded(chosen);
  const int32_t token = !session_.is_end(grounded) && matcher_->allows(grounded) ? grounded : chosen;
  matcher_->accept(token);
  return token;
}

std::optional<int32_t> Generation::step() {
  const std::span<const float> logits = session_.logits();
  const std::optional<int32_t> chosen = choose();
  if (!chosen) {
    result_.stop = StopReason::end;
    return std::nullopt;
  }
  const int32_t token = *chosen;
  sampler_.accept(token);
  result_.tokens.push_back(token);
  if (options_.top_log_probabilities >= 0) {
    result_.log_probabilities.push_back(log_probabilities(logits, token, options_.top_log_probabilities));
  }
  tell(stop_strings_.push(stream_->push(token)));
  if (stop_strings_.stopped()) {
    result_.stop = StopReason::stop_string;
    return std::nullopt;
  }
  if (static_cast<int64_t>(result_.tokens.size()) == options_.max_tokens || session_.room() == 0) {
    result_.stop = StopReason::length;
    return std::nullopt;
  }
  return token;
}

Generated Generation::finish(std::optional<StopReason> stop) {
  if (stop) result_.stop = *stop;
  // The stream's rest may still complete a stop string: a character that was cut off is U+FFFD now.
  tell(stop_strings_.push(stream_->finish()));
  if (stop_strings_.stopped()) result_.stop = StopReason::stop_string;
  tell(stop_strings_.finish());
  result_.answer = session_.read(result_.tokens);
  result_.answer.text = text_;
  return std::move(result_);
}

std::vector<Generated> generate_all(std::span<Generation> generations) {
  std::vector<Generated> results(generations.size());
  std::vector<size_t> running(generations.size());
  std::iota(running.begin(), running.end(), size_t{0});
  while (!running.empty()) {
    std::vector<size_t> go_on;
    std::vector<models::ChatSession*> sessions;
    std::vector<int32_t> tokens;
    for (const size_t i : running) {
      if (interrupted()) {
        results[i] = generations[i].finish(StopReason::interrupted);
      } else if (const std::optional<int32_t> token = generations[i].step()) {
        go_on.push_back(i);
        sessions.push_back(&generations[i].session());
        tokens.push_back(*token);
      } else {
        results[i] = generations[i].finish();
      }
    }
    if (!sessions.empty()) sessions.front()->accept_all(sessions, tokens);
    running = std::move(go_on);
  }
  return results;
}

std::vector<Generated> generate_samples(models::ChatSession& session, const GenerateOptions& options, int64_t count,
                                        const OnText& on_text) {
  constexpr int64_t kMostSamples = 64;
  require(count >= 1 && count <= kMostSamples, ErrorKind::usage, "{} samples are outside 1..{}", count, kMostSamples);
  std::vector<std::unique_ptr<models::ChatSession>> forks;
  std::vector<Generation> generations;
  for (int64_t i = 0; i < count; ++i) {
    GenerateOptions own = options;
    own.sampling.seed += static_cast<uint64_t>(i);
    if (i > 0) forks.push_back(session.fork());
    generations.emplace_back(i == 0 ? session : *forks.back(), own, i == 0 ? on_text : OnText());
  }
  return generate_all(generations);
}

Generated generate(models::ChatSession& session, const GenerateOptions& options, const OnText& on_text) {
  Generation generation(session, options, on_text);
  return std::move(generate_all({&generation, 1}).front());
}

}  // namespace sensorium::generate
