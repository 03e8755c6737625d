// The training loop: batches in, losses and checkpoints out. It knows nothing of what a batch holds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "nn/parameter_store.h"
#include "train/checkpoint.h"
#include "train/optimizer.h"
#include "train/run_log.h"
#include "train/schedule.h"

namespace sensorium::train {

struct TrainerOptions {
  std::filesystem::path out;  // the run's folder
  std::string fingerprint;    // of the recipe: a resume must match
  Schedule schedule;
  OptimizerOptions optimizer;
  int64_t accumulate = 1;    // batches per step
  int64_t save_every = 200;  // steps
  int64_t stop_after = 0;    // steps of this call; 0: to the end
  Kept kept = Kept::all;     // what its checkpoints hold
  std::string go_on;         // how another run starts from what this one made; "": from <out>/model
};

// What one batch of one step gave.
struct BatchResult {
  Tensor loss;  // [1], with its graph; undefined: there was nothing to learn
  std::vector<std::pair<std::string, double>> parts;
  int64_t tokens = 0, images = 0;
};
using RunBatch = std::function<BatchResult(int64_t step, int64_t part)>;

enum class TrainEnd : uint8_t { finished, stopped };
struct TrainResult {
  TrainEnd end;
  int64_t steps = 0;  // of the whole run
  double loss = 0;    // of the last of them; NaN: it taught nothing
};
// Trains from the newest checkpoint of `out`, or from the start, to schedule.total_steps. The batches of a step depend on its
// number alone, so a resumed run repeats the uninterrupted one bit for bit.
// Saves a checkpoint every save_every steps, at the end, and when interrupted (then throws Error(interrupted)). A loss, gradient
// or parameter that is not finite throws Error(numeric) that names the step; the last good checkpoint stays. Holds a lock in
// `out` meanwhile: a second run in the same folder is an Error(io).
// `on_saved(step)` runs after each checkpoint, with the moving average in place of the weights if there is one, and for a run
// that is found finished.
TrainResult run_training(nn::ParameterStore& store, const TrainerOptions& options, const RunBatch& run_batch,
                         const std::function<void(int64_t step)>& on_saved = {});

}  // namespace sensorium::train
