#include "eval/compare.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "base/interrupt.h"
#include "data/dataset.h"
#include "models/load_part.h"

namespace sensorium::eval {
namespace {

using Conversation = std::vector<models::ChatMessage>;

double log_sum(std::span<const float> logits) {
  const float most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit - most));
  return most + std::log(sum);
}

double divergence(std::span<const float> reference, std::span<const float> other) {
  const double reference_log = log_sum(reference), other_log = log_sum(other);
  double sum = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double log_probability = reference[i] - reference_log;
    sum += std::exp(log_probability) * (log_probability - (other[i] - other_log));
  }
  return std::max(sum, 0.0);
}

int32_t likeliest(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

void append(std::vector<models::ChatPart>& parts, std::vector<models::ChatPart> more) {
  std::move(more.begin(), more.end(), std::back_inserter(parts));
}

// The conversation up to its last question, each question about the picture, or the text as a user's message.
std::vector<Conversation> prompts_of(const data::Record& record, const models::ModelFamily* family) {
  std::vector<Conversation> prompts;
  const auto last = std::find_if(record.messages.rbegin(), record.messages.rend(),
                                 [](const data::Message& message) { return message.role == "user"; });
  if (last != record.messages.rend()) {
    Conversation& conversation = prompts.emplace_back();
    for (auto message = record.messages.begin(); message != last.base(); ++message) {
      models::ChatMessage& turn = conversation.emplace_back();
      turn.role = message->role;
      for (const data::MessagePart& part : message->parts) {
        if (part.kind == data::PartKind::text) {
          turn.parts.push_back({.text = part.value});
        } else {
          append(turn.parts, models::load_parts(part, family));
        }
      }
    }
  }
  const auto ask = [&](const std::string& text) {
    models::ChatMessage& turn = prompts.emplace_back().emplace_back();
    turn.role = "user";
    append(turn.parts, models::load_percepts(record, family));
    turn.parts.push_back({.text = text});
  };
  for (const data::QuestionAnswer& question : record.questions) ask(question.question);
  if (!record.text.empty()) ask(record.text);
  return prompts;
}

class Comparer {
 public:
  Comparer(const models::Model& reference, const models::Model& other, int64_t tokens)
      : reference_(reference), other_(other), tokens_(tokens) {}

  void add(const Conversation& prompt) {
    const auto reference = reference_.start(prompt), other = other_.start(prompt);
    require(reference->logits().size() == other->logits().size(), ErrorKind::usage,
            "the models have {} and {} tokens in their vocabularies: only models of one vocabulary can be compared",
            reference->logits().size(), other->logits().size());
    bool same = true;
    for (int64_t i = 0;; ++i) {
      const int32_t token = likeliest(reference->logits());
      divergences_.push_back(divergence(reference->logits(), other->logits()));
      const bool agrees = likeliest(other->logits()) == token;
      agreeing_ += agrees ? 1 : 0;
      same = same && agrees;
      if (reference->is_end(token) || i + 1 >= tokens_ || reference->room() < 1 || other->room() < 1) break;
      check_interrupted();
      reference->accept(token);
      other->accept(token);
    }
    ++prompts_;
    same_ += same ? 1 : 0;
  }
  int64_t prompts() const { return prompts_; }

  Comparison result() {
    std::sort(divergences_.begin(), divergences_.end());
    double sum = 0;
    for (const double divergence : divergences_) sum += divergence;
    const auto count = static_cast<double>(divergences_.size());
    return {.prompts = prompts_,
            .tokens = static_cast<int64_t>(divergences_.size()),
            .mean_kl = sum / count,
            .p99_kl = divergences_[static_cast<size_t>(0.99 * (count - 1))],
            .same_token = static_cast<double>(agreeing_) / count,
            .same_continuation = static_cast<double>(same_) / static_cast<double>(prompts_)};
  }

 private:
  const models::Model& reference_;
  const models::Model& other_;
  int64_t tokens_, prompts_ = 0, agreeing_ = 0, same_ = 0;
  std::vector<double> divergences_;
};

}  // namespace

OrderedJson Comparison::to_json() const {
  return {{"prompts", prompts}, {"tokens", tokens},         {"mean_kl", mean_kl},
          {"p99_kl", p99_kl},   {"same_token", same_token}, {"same_continuation", same_continuation}};
}

Comparison compare_models(const models::Model& reference, const models::Model& other, const CompareOptions& options) {
  const std::unique_ptr<data::Dataset> dataset = data::open_dataset(options.data);
  Comparer comparer(reference, other, options.tokens);
  const auto full = [&] { return options.prompts > 0 && comparer.prompts() >= options.prompts; };
  for (int64_t i = 0; i < dataset->size() && !full(); ++i) {
    const data::Record record = dataset->get(i);
    try {
      for (const Conversation& prompt : prompts_of(record, options.family)) {
        if (full()) break;
        comparer.add(prompt);
      }
    } catch (const Error& error) {
      throw error.with_context(record.where);
    }
    if (options.on_progress) options.on_progress(i + 1, dataset->size());
  }
  require(comparer.prompts() > 0, ErrorKind::usage, "{}: holds no questions, conversations or texts", options.data);
  return comparer.result();
}

}  // namespace sensorium::eval
