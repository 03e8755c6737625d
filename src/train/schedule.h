// The learning rate over the steps: linear warm-up, then a cosine down to a fraction of the peak.
#pragma once

#include <cstdint>

namespace sensorium::train {

struct Schedule {
  double peak = 1e-3;
  int64_t warmup_steps = 100;
  int64_t total_steps = 1000;
  double final_fraction = 0.05;

  // Of step 0 .. total_steps - 1.
  double learning_rate(int64_t step) const;
};

}  // namespace sensorium::train
