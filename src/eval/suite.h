// Runs a model over a data set and reports the field's metrics, each with a 95 % bootstrap interval.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "eval/metrics/metric.h"
#include "models/model.h"

namespace sensorium::eval {

struct EvalOptions {
  std::filesystem::path data;                   // any format of data::open_dataset
  std::vector<std::filesystem::path> with;      // further data sets, whose records count as the first one's
  std::map<std::string, std::string> names;     // classes that are called otherwise: {"dog bark": "dog"}
  std::string task;                             // one name of task_table(); "": every task that the records carry
  const models::ModelFamily* family = nullptr;  // the model's, which says how it watches films
  double validation = 0;    // only the part that training with this validation_fraction leaves out; 0: all
  int64_t limit = 0;        // the first records only; 0: all
  int64_t max_tokens = 48;  // of an answer
  BootstrapOptions bootstrap;
  // Called after each record with the number of records done and in all.
  std::function<void(int64_t done, int64_t total)> on_progress;
};

// The figures of one task, or of one question or class of it.
struct EvalResult {
  std::string task;
  std::string question;  // set if the task was split by question
  std::string label;     // set if the task was split by class
  int64_t n = 0;         // items that the metrics rest on
  std::vector<std::pair<std::string, MetricValue>> metrics;

  // {"task", "question"?, "class"?, "n", "metrics": {name: {"value", "ci95": [low, high]}}}
  OrderedJson to_json() const;
};

struct EvalReport {
  std::string model, data;
  int64_t records = 0;
  std::vector<EvalResult> results;

  // {"model", "data", "results": [..]}: what `sensorium eval --json` prints.
  OrderedJson to_json() const;
};

// Answers are generated greedily, so that the same model and data give the same report. `model_name` is what the report
// calls the model. Throws Error: usage (unknown task, negative limit), not_found, invalid_data (a faulty record or
// picture, named by file and line; no records; none that carry the task), unsupported (records about a sense that no
// model has yet), interrupted.
EvalReport evaluate(const models::Model& model, const std::string& model_name, const EvalOptions& options);

}  // namespace sensorium::eval
