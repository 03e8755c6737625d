#include <set>

#include "eval/metrics/text_norm.h"
#include "eval/tasks/task.h"

namespace sensorium::eval {
namespace {

// What a question's answers have to do with the classes of the pictures that it is asked about.
struct Asked {
  std::map<std::string, std::string> class_of, answer_of;  // answer -> class, class -> answer
  size_t records = 0, verbatim = 0;                        // answers that are the class, word for word
  bool one_to_one = true;

  void add(const std::string& answer, const std::string& label) {
    ++records;
    verbatim += answer == normalize_answer(label) ? 1 : 0;
    const std::string& known_class = class_of.emplace(answer, label).first->second;
    const std::string& known_answer = answer_of.emplace(label, answer).first->second;
    one_to_one = one_to_one && known_class == label && known_answer == answer && !label.empty();
  }
  bool asks_for_class() const { return one_to_one && 2 * verbatim >= records; }
};

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

std::string_view percept_kind(const data::Record& record) {
  const data::MessagePart* recording = data::recording_of(record);
  return data::field_name(recording != nullptr ? recording->kind : record.picture_kind);
}

Overview survey(std::span<const data::Record> records) {
  std::set<std::string> box_classes, count_classes;
  std::map<std::string, std::set<std::string>, std::less<>> labels;
  std::map<std::string, Asked> questions;
  for (const data::Record& record : records) {
    if (!record.label.empty()) labels[std::string(percept_kind(record))].insert(record.label);
    if (record.boxes) {
      for (const data::MarkedBox& box : *record.boxes) box_classes.insert(box.label);
    }
    for (const auto& [label, count] : true_counts(record)) {
      if (count > 0) count_classes.insert(label);
    }
    for (const data::QuestionAnswer& qa : record.questions) {
      questions[qa.question].add(normalize_answer(qa.answer), record.label);
    }
  }
  Overview overview{{}, sorted(box_classes), sorted(count_classes), {}};
  for (const auto& [kind, names] : labels) overview.labels[kind] = sorted(names);
  for (auto& [question, asked] : questions) {
    if (asked.asks_for_class()) overview.class_questions.emplace(question, std::move(asked.class_of));
  }
  return overview;
}

}  // namespace sensorium::eval
