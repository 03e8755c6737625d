// Questions with short answers, generated. Statements have a task of their own (statement.cpp).
#include <algorithm>
#include <array>
#include <tuple>

#include "eval/metrics/open_recall.h"
#include "eval/tasks/tasks.h"

namespace sensorium::eval {
namespace {

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "1.9": measured, not counted.
bool is_measurement(const std::string& text) {
  const size_t point = text.find('.');
  return point != std::string::npos && is_number(text.substr(0, point)) && is_number(text.substr(point + 1));
}

// The last message of the assistant is the truth, all before it the prompt.
const data::Message* reference_turn(const data::Record& record) {
  const auto last = std::find_if(record.messages.rbegin(), record.messages.rend(),
                                 [](const data::Message& message) { return message.role == "assistant"; });
  return last == record.messages.rend() || last + 1 == record.messages.rend() ? nullptr : &*last;
}

std::string text_of(const data::Message& message) {
  std::string text;
  for (const data::MessagePart& part : message.parts) {
    if (part.kind == data::PartKind::text) text += (text.empty() ? "" : " ") + part.value;
  }
  return text;
}

class QaTask : public Task {
 public:
  void add(Examiner& examiner) override {
    const data::Record& record = examiner.record();
    for (const data::QuestionAnswer& qa : record.questions) {
      if (!asked_statement(qa.question).empty()) continue;
      EvalItem item{.prediction = examiner.ask(qa.question).text, .references = {qa.answer}};
      // Without a picture or recording answers are often sentences, which match exactly by luck only: how likely the model
      // finds the true one says more.
      if (record.image.empty() && data::recording_of(record) == nullptr) {
        std::tie(item.negative_log_likelihood, item.tokens) = examiner.answer_nll(qa.question, qa.answer);
      }
      groups_.add(qa.question, std::move(item));
    }
    if (const data::Message* reference = reference_turn(record)) {
      const auto prompt = static_cast<size_t>(reference - record.messages.data());
      EvalItem item{.prediction = examiner.answer({record.messages.data(), prompt}).text,
                    .references = {text_of(*reference)}};
      (is_closed(item) ? closed_ : open_).push_back(item);
      groups_.add("", std::move(item));
    }
  }

  std::vector<EvalResult> results(const BootstrapOptions& bootstrap) const override {
    std::vector<EvalResult> results;
    for (const ItemGroup& group : groups_.split()) {
      const auto every = [&](auto&& holds) { return std::all_of(group.items.begin(), group.items.end(), holds); };
      std::vector<std::string_view> metrics = {"exact_match"};
      if (every([](const EvalItem& item) { return is_number(item.references[0]); })) {
        metrics.insert(metrics.end(), {"count_mae", "count_exact"});
      }
      if (every([](const EvalItem& item) { return is_measurement(item.references[0]); })) metrics.push_back("rmse");
      if (every([](const EvalItem& item) { return item.tokens > 0; })) metrics.push_back("perplexity");
      results.push_back(make_result("qa", group.items, metrics, bootstrap));
      if (groups_.size() > 1) results.back().question = group.key;
    }
    // Conversations mix both kinds of questions, which are scored apart.
    const auto add_kind = [&](const char* label, const std::vector<EvalItem>& items, std::string_view metric) {
      if (items.empty()) return;
      results.push_back(make_result("qa", items, std::array{metric}, bootstrap));
      results.back().label = label;
    };
    add_kind("closed", closed_, "closed_accuracy");
    add_kind("open", open_, "open_recall");
    return results;
  }

 private:
  ItemGroups groups_;
  std::vector<EvalItem> closed_, open_;  // of conversations
};

}  // namespace

bool carries_qa(const data::Record& record) {
  return reference_turn(record) != nullptr ||
         std::any_of(record.questions.begin(), record.questions.end(),
                     [](const data::QuestionAnswer& qa) { return asked_statement(qa.question).empty(); });
}
std::unique_ptr<Task> make_qa(const Overview&) { return std::make_unique<QaTask>(); }

}  // namespace sensorium::eval
