// The record of a run: train.jsonl (one object a step), TensorBoard events and a picture of the loss curve, all in the run's
// folder.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/tensorboard.h"

namespace sensorium::train {

struct StepRecord {
  int64_t step = 0;  // counts from 1
  double loss = 0;   // NaN: there was nothing to learn, left out
  double learning_rate = 0, grad_norm = 0;
  std::vector<std::pair<std::string, double>> parts;  // NaN: not in this batch, left out
  double tokens_per_s = 0, images_per_s = 0;          // not part of what a resume reproduces
};

class RunLog {
 public:
  // Opens `directory`; after a resume at `resumed_step`, lines of later steps are dropped. The event file comes with the first
  // step.
  RunLog(std::filesystem::path directory, int64_t resumed_step);
  void add(const StepRecord& record);
  double last_loss() const { return history_.empty() ? std::nan("") : history_.back().loss; }
  // Writes loss.svg from all steps so far.
  void write_plot() const;

 private:
  std::filesystem::path directory_;
  std::ofstream lines_;
  std::unique_ptr<io::EventWriter> events_;
  std::vector<StepRecord> history_;
};

}  // namespace sensorium::train
