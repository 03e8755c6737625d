#include "eval/suite.h"

#include <algorithm>

#include "base/interrupt.h"
#include "data/dataset.h"
#include "eval/tasks/media_vectors.h"
#include "eval/tasks/task.h"
#include "models/embedding/embedding_model.h"

namespace sensorium::eval {
namespace {

struct RunningTask {
  const TaskEntry* entry;
  std::unique_ptr<Task> task;
};

void check_task(const std::string& name) {
  std::vector<std::string> names;
  for (const TaskEntry& entry : task_table()) {
    if (entry.name == name) return;
    names.emplace_back(entry.name);
  }
  const std::string near = nearest_match(name, names);
  fail(ErrorKind::usage, "there is no task '{}'; {}", name,
       near.empty() ? fmt::format("tasks are {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near));
}

bool only_embeds(const models::Model& model) { return dynamic_cast<const models::EmbeddingModel*>(&model) != nullptr; }
bool suits(const TaskEntry& entry, const models::Model& model) {
  return entry.model == TaskModel::embeds ? model.embedder() != nullptr : !only_embeds(model);
}
// A model that also answers is asked about records that its joint space has no sense for, unless these are all it is asked.
bool carries(const TaskEntry& entry, const data::Record& record, const models::Model& model,
             const EvalOptions& options) {
  if (!entry.carries(record)) return false;
  return entry.model == TaskModel::answers || only_embeds(model) || options.task == entry.name ||
         perceives(*model.embedder(), record);
}

// The tasks to run: the one that was asked for, or all that some record carries.
std::vector<RunningTask> choose_tasks(const models::Model& model, const EvalOptions& options,
                                      std::span<const data::Record> records, const Overview& overview) {
  std::vector<RunningTask> tasks;
  std::vector<std::string_view> present;
  for (const TaskEntry& entry : task_table()) {
    require(options.task != entry.name || suits(entry, model), ErrorKind::unsupported,
            "the task '{}' is for models that {}", entry.name,
            entry.model == TaskModel::embeds ? "have a joint space of several senses" : "answer questions");
    const auto carried = [&](const data::Record& record) { return carries(entry, record, model, options); };
    if (!suits(entry, model) || std::ranges::none_of(records, carried)) continue;
    present.push_back(entry.name);
    if (options.task.empty() || options.task == entry.name) tasks.push_back({&entry, entry.make(overview)});
  }
  require(!present.empty(), ErrorKind::invalid_data, "{}: no record carries anything that can be evaluated",
          options.data.string());
  require(!tasks.empty(), ErrorKind::invalid_data, "{}: no record carries the task '{}', only {}",
          options.data.string(), options.task, fmt::join(present, ", "));
  return tasks;
}

std::vector<data::Record> read_records(const EvalOptions& options) {
  std::vector<data::Record> records;
  std::vector<std::filesystem::path> files = options.with;
  files.insert(files.begin(), options.data);
  for (const std::filesystem::path& file : files) {
    const std::unique_ptr<data::Dataset> dataset = data::open_dataset(file);
    for (int64_t i = 0; i < dataset->size(); ++i) {
      if (options.validation > 0 && !data::in_validation_part(*dataset, i, options.validation)) continue;
      data::Record& record = records.emplace_back(dataset->get(i));
      if (const auto name = options.names.find(record.label); name != options.names.end()) record.label = name->second;
    }
  }
  require(!records.empty(), ErrorKind::invalid_data, "{}: holds no records", options.data.string());
  return records;
}

}  // namespace

OrderedJson EvalResult::to_json() const {
  OrderedJson json;
  json["task"] = task;
  if (!question.empty()) json["question"] = question;
  if (!label.empty()) json["class"] = label;
  json["n"] = n;
  json["metrics"] = OrderedJson::object();
  for (const auto& [name, metric] : metrics) {
    json["metrics"][name] = {{"value", metric.value}, {"ci95", {metric.ci95.low, metric.ci95.high}}};
  }
  return json;
}

OrderedJson EvalReport::to_json() const {
  OrderedJson json;
  json["model"] = model;
  json["data"] = data;
  json["results"] = OrderedJson::array();
  for (const EvalResult& result : results) json["results"].push_back(result.to_json());
  return json;
}

EvalReport evaluate(const models::Model& model, const std::string& model_name, const EvalOptions& options) {
  require(options.limit >= 0, ErrorKind::usage, "limit {} is negative", options.limit);
  if (!options.task.empty()) check_task(options.task);
  const std::vector<data::Record> all = read_records(options);
  const Overview overview = survey(all);
  const size_t count = options.limit == 0 ? all.size() : std::min(all.size(), static_cast<size_t>(options.limit));
  const std::span<const data::Record> records(all.data(), count);
  std::vector<RunningTask> tasks = choose_tasks(model, options, records, overview);

  Examiner examiner(model, options.family, options.max_tokens);
  for (size_t i = 0; i < records.size(); ++i) {
    check_interrupted();
    examiner.open(records[i]);
    for (RunningTask& running : tasks) {
      if (carries(*running.entry, records[i], model, options)) running.task->add(examiner);
    }
    if (options.on_progress) options.on_progress(static_cast<int64_t>(i) + 1, static_cast<int64_t>(records.size()));
  }
  EvalReport report{model_name, options.data.string(), static_cast<int64_t>(records.size()), {}};
  for (const RunningTask& running : tasks) {
    for (EvalResult& result : running.task->results(options.bootstrap)) report.results.push_back(std::move(result));
  }
  return report;
}

}  // namespace sensorium::eval
