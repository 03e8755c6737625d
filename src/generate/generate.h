// Step-by-step generation of answers.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "generate/sampler.h"
#include "generate/stop_strings.h"
#include "models/model.h"
#include "text/grammar/constraint.h"

namespace sensorium::generate {

struct GenerateOptions {
  static constexpr int64_t kNoLogProbabilities = -1, kMostTopLogProbabilities = 20;

  SamplingOptions sampling;
  int64_t max_tokens = 256;
  std::vector<std::string> stop;  // the answer ends before the first of these
  // Alternatives whose log-probabilities are told beside the chosen token's, 0..20; -1: no log-probabilities.
  int64_t top_log_probabilities = kNoLogProbabilities;
  // What the answer must look like, or null. Without enough tokens the answer is cut off, and incomplete.
  std::shared_ptr<text::grammar::Constraint> constraint;
};
// Throws Error(usage) for values out of range: before a model works.
void check_options(const GenerateOptions& options);

enum class StopReason : uint8_t { end, stop_string, length, interrupted };
struct Generated {
  models::ChatAnswer answer;
  std::vector<int32_t> tokens;                           // without the end token; with those of a stop string
  std::vector<TokenLogProbabilities> log_probabilities;  // of `tokens`, if asked for
  StopReason stop = StopReason::end;
};

// Receives the pieces of the answer's text as soon as they are certain, each ending on a UTF-8 character boundary.
using OnText = std::function<void(std::string_view)>;

// One answer in the making. It chooses tokens and writes text; whoever owns it runs the model, for one answer or for many in
// one pass.
class Generation {
 public:
  // `session` must outlive this object. Throws Error(usage) for options out of range.
  Generation(models::ChatSession& session, const GenerateOptions& options, OnText on_text = {});

  models::ChatSession& session() const { return session_; }
  // So far; valid until step() or finish().
  std::span<const int32_t> tokens() const { return result_.tokens; }
  std::span<const TokenLogProbabilities> token_log_probabilities() const { return result_.log_probabilities; }
  // Chooses a token by the session's logits. Returns the one that the session must accept before the next step, or none if
  // the answer is complete.
  std::optional<int32_t> step();
  // Tells the rest of the text and gives the answer; once. `stop` if something else than step() ended it.
  Generated finish(std::optional<StopReason> stop = std::nullopt);

 private:
  void tell(const std::string& text);
  // The next token, or none if nothing may follow.
  std::optional<int32_t> choose();

  models::ChatSession& session_;
  GenerateOptions options_;
  OnText on_text_;
  Sampler sampler_;
  StopStrings stop_strings_;
  std::unique_ptr<models::AnswerStream> stream_;
  std::optional<text::grammar::Matcher> matcher_;
  std::vector<int32_t> end_tokens_;  // if there is a matcher
  std::string text_;
  Generated result_;
};

// Runs all to their ends, a token of each in one pass through the model. Their sessions are of one model.
std::vector<Generated> generate_all(std::span<Generation> generations);

// Several answers to one prompt, which is read once. Answer i is what generate() gives with the seed `seed` + i; `on_text`
// hears the first. Throws Error(usage) unless 1 <= count <= 64.
std::vector<Generated> generate_samples(models::ChatSession& session, const GenerateOptions& options, int64_t count,
                                        const OnText& on_text = {});

// Runs the session to the end of its answer.
Generated generate(models::ChatSession& session, const GenerateOptions& options, const OnText& on_text = {});

}  // namespace sensorium::generate
