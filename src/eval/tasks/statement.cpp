// Whether a sentence about a picture is true.
#include <algorithm>
#include <array>

#include "eval/metrics/exact_match.h"
#include "eval/tasks/tasks.h"

namespace sensorium::eval {
namespace {

constexpr std::array<std::string_view, 1> kMetrics = {"accuracy"};

// "Yes, it is." and "true" are yes; what is neither yes nor no stays as it was said.
std::string verdict(const std::string& said) {
  for (const char* word : {"yes", "no"}) {
    const std::string reference = word;
    if (is_exact_match(said, {&reference, 1})) return reference;
  }
  return said;
}

class StatementTask : public Task {
 public:
  void add(Examiner& examiner) override {
    const data::Record& record = examiner.record();
    if (record.statement) {
      judge(examiner, data::statement_question(record.statement->sentence), record.statement->truth ? "yes" : "no");
    }
    for (const data::QuestionAnswer& qa : record.questions) {
      if (!asked_statement(qa.question).empty()) judge(examiner, qa.question, verdict(qa.answer));
    }
  }
  std::vector<EvalResult> results(const BootstrapOptions& bootstrap) const override {
    return {make_result("statement", items_, kMetrics, bootstrap)};
  }

 private:
  void judge(Examiner& examiner, const std::string& question, const std::string& truth) {
    items_.push_back({.prediction = verdict(examiner.ask(question).text), .references = {truth}});
  }
  std::vector<EvalItem> items_;
};

}  // namespace

bool carries_statement(const data::Record& record) {
  return record.statement.has_value() ||
         std::any_of(record.questions.begin(), record.questions.end(),
                     [](const data::QuestionAnswer& qa) { return !asked_statement(qa.question).empty(); });
}
std::unique_ptr<Task> make_statement(const Overview&) { return std::make_unique<StatementTask>(); }

}  // namespace sensorium::eval
