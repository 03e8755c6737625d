// The class of a whole picture or recording.
#include <algorithm>
#include <array>

#include "eval/metrics/confusion.h"
#include "eval/metrics/text_norm.h"
#include "eval/tasks/tasks.h"

namespace sensorium::eval {
namespace {

class ClassTask : public Task {
 public:
  explicit ClassTask(const Overview& overview) : overview_(overview) {}

  void add(Examiner& examiner) override {
    const data::Record& record = examiner.record();
    items_.push_back({.prediction = predict(examiner, record), .references = {record.label}});
  }

  std::vector<EvalResult> results(const BootstrapOptions& bootstrap) const override {
    EvalResult result = make_result("class", items_, std::array<std::string_view, 1>{"accuracy"}, bootstrap);
    result.metrics.emplace_back("macro_f1", macro_f1(items_, bootstrap));
    return {result};
  }

 private:
  // The answer to the record's own question about its class, or else the likeliest of the set's classes.
  std::string predict(Examiner& examiner, const data::Record& record) const {
    for (const data::QuestionAnswer& qa : record.questions) {
      const auto asked = overview_.class_questions.find(qa.question);
      if (asked == overview_.class_questions.end()) continue;
      const std::string& said = examiner.ask(qa.question).text;
      const auto meant = asked->second.find(normalize_answer(said));
      return meant == asked->second.end() ? said : meant->second;
    }
    const std::vector<std::string>& labels = overview_.labels.find(percept_kind(record))->second;
    const std::vector<float> probabilities = examiner.model().classify_part(examiner.percept(), labels);
    const auto best = std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin();
    return labels.at(static_cast<size_t>(best));
  }

  const Overview& overview_;
  std::vector<EvalItem> items_;
};

}  // namespace

bool carries_class(const data::Record& record) {
  return (!record.image.empty() || data::recording_of(record) != nullptr) && !record.label.empty();
}
std::unique_ptr<Task> make_class(const Overview& overview) { return std::make_unique<ClassTask>(overview); }

}  // namespace sensorium::eval
