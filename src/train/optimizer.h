// AdamW over a model's parameters, with clipping by the global norm and an exponential moving average of the weights.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "nn/parameter_store.h"

namespace sensorium::train {

struct OptimizerOptions {
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double weight_decay = 0.05;  // matrices only
  double clip_norm = 1.0;      // 0: off
  double ema_decay = 0;        // 0: no average
  // What the learning rate is multiplied by for parameters whose names match a pattern, the first that fits; others: 1.
  std::vector<std::pair<std::string, double>> rates;
};

class AdamW {
 public:
  // Covers the parameters that require gradients now; f32 only, throws Error(shape) otherwise.
  AdamW(nn::ParameterStore& store, const OptimizerOptions& options);

  // Applies and clears the gradients. Returns their global norm before clipping; throws Error(numeric), leaving the
  // parameters as they were, if it is not finite. Parameters without a gradient keep their value.
  double step(double learning_rate);
  int64_t steps_done() const { return steps_; }

  // State for checkpoints: names "<parameter>/m", "/v", "/ema" in order.
  struct State {
    std::string name;
    Tensor tensor;
  };
  std::vector<State> state() const;
  // Takes `steps` and the tensors that state() listed from `find(name)`.
  template <typename Find>
  void restore(int64_t steps, Find&& find) {
    steps_ = steps;
    for (const State& entry : state()) Tensor(entry.tensor).copy_from(find(entry.name));
  }

  // Exchanges the parameters with their moving averages (and back): for evaluating and saving the average.
  void swap_ema();
  bool has_ema() const { return options_.ema_decay > 0; }

 private:
  struct Slot {
    std::string name;
    Tensor parameter, m, v, ema;
    bool decay;
    double rate = 1;
  };
  OptimizerOptions options_;
  std::vector<Slot> slots_;
  int64_t steps_ = 0;
};

}  // namespace sensorium::train
