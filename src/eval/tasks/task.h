// A task: which records it can use, what it asks about each of them, and which metrics it reports. To add one: a source
// file in this folder and a line in registry.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/record.h"
#include "eval/examiner.h"
#include "eval/suite.h"

namespace sensorium::eval {

// What the data set is about as a whole, known before the first question is asked: the closed sets that models choose
// from come from the whole file, so that a limited run asks the same as a full one.
struct Overview {
  // Classes of what a record is about, sorted; by the kind of that ("image", "audio"), as no recording is of a picture's class.
  std::map<std::string, std::vector<std::string>, std::less<>> labels;
  std::vector<std::string> box_classes;    // classes of the boxes, sorted
  std::vector<std::string> count_classes;  // classes that are counted and occur at least once, sorted
  // Questions that ask for the picture's class -> what answers (normalize_answer) mean: mostly the class itself, here
  // and there another word for it ("mixed" for the class "trash").
  std::map<std::string, std::map<std::string, std::string>> class_questions;
};
// The kind of a record's picture or recording, as Overview::labels has it.
std::string_view percept_kind(const data::Record& record);
Overview survey(std::span<const data::Record> records);

class Task {
 public:
  virtual ~Task() = default;
  // Examines the model on the examiner's open record, which carries the task.
  virtual void add(Examiner& examiner) = 0;
  virtual std::vector<EvalResult> results(const BootstrapOptions& bootstrap) const = 0;
};

// What a model must be for a task.
enum class TaskModel : uint8_t {
  answers,  // one that answers questions
  embeds,   // one with a joint space; its senses may be more than pictures
};

struct TaskEntry {
  std::string_view name;  // the value of --task and of "task" in the report
  std::string_view description;
  bool (*carries)(const data::Record& record);
  std::unique_ptr<Task> (*make)(const Overview& overview);
  TaskModel model = TaskModel::answers;
};
std::span<const TaskEntry> task_table();

// The true number of things per class: the record's counts, or else its boxes counted. Empty: nobody counted.
std::map<std::string, int> true_counts(const data::Record& record);
// The sentence of a question that asks whether a statement is true, or "".
std::string_view asked_statement(std::string_view question);

// A result of the named metrics (eval/metrics/registry.h) over items.
EvalResult make_result(std::string_view task, std::span<const EvalItem> items,
                       std::span<const std::string_view> metrics, const BootstrapOptions& bootstrap);

// Items by what they are about: a question, a class.
struct ItemGroup {
  std::string key;
  std::vector<EvalItem> items;
};
class ItemGroups {
 public:
  void add(const std::string& key, EvalItem item);
  size_t size() const { return groups_.size(); }
  std::vector<EvalItem> all() const;
  // In order of first appearance. A data set of stories asks every question once: with more than 16 keys, those with
  // less than 5 % of the items are pooled under the key "" at the end.
  std::vector<ItemGroup> split() const;

 private:
  std::vector<ItemGroup> groups_;
  std::map<std::string, size_t> index_;
};

}  // namespace sensorium::eval
