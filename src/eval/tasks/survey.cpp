#include "eval/metrics/text_norm.h"
#include "eval/tasks/task.h"

namespace sensorium::eval {
namespace {

std::vector<std::string> sorted(const std::set<std::string>& names) { return {names.begin(), names.end()}; }

}  // namespace

std::map<std::string, int> true_counts(const data::Record& record) {
  if (!record.count.empty() || !record.boxes) return record.count;
  std::map<std::string, int> counts;
  for (const data::MarkedBox& box : *record.boxes) ++counts[box.label];
  return counts;
}

std::string_view asked_statement(std::string_view question) {
  const std::string asked = data::statement_question("");
  return question.starts_with(asked) ? question.substr(asked.size()) : std::string_view{};
}

Overview survey(std::span<const data::Record> records) {
  std::set<std::string> labels, box_classes, count_classes;
  std::map<std::string, bool> gives_class;
  for (const data::Record& record : records) {
    if (!record.label.empty()) labels.insert(record.label);
    if (record.boxes) {
      for (const data::MarkedBox& box : *record.boxes) box_classes.insert(box.label);
    }
    for (const auto& [label, count] : true_counts(record)) {
      if (count > 0) count_classes.insert(label);
    }
    for (const data::QuestionAnswer& qa : record.questions) {
      const bool is_class = !record.label.empty() && normalize_answer(qa.answer) == normalize_answer(record.label);
      const auto [place, is_new] = gives_class.emplace(qa.question, is_class);
      if (!is_new && !is_class) place->second = false;
    }
  }
  Overview overview{sorted(labels), sorted(box_classes), sorted(count_classes), {}};
  for (const auto& [question, always] : gives_class) {
    if (always) overview.class_questions.insert(question);
  }
  return overview;
}

}  // namespace sensorium::eval
