// Optimizer updates, one pass over the memory.
#pragma once

#include <cstdint>

namespace sensorium::kernels {

// AdamW (Loshchilov and Hutter 2019), bias-corrected at `step` (1 for the first):
//   m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  p -= lr * (m / (1-b1^t) / (sqrt(v / (1-b2^t)) + eps) + decay * p)
// with g multiplied by grad_scale first (clipping, accumulation). ema = d ema + (1-d) p follows if ema is given.
struct AdamWArgs {
  int64_t count = 0;
  float* parameter = nullptr;
  const float* grad = nullptr;
  float* m = nullptr;
  float* v = nullptr;
  float* ema = nullptr;
  float learning_rate = 1e-3f, beta1 = 0.9f, beta2 = 0.95f, eps = 1e-8f, weight_decay = 0.0f;
  float grad_scale = 1.0f, ema_decay = 0.0f;
  int64_t step = 1;
};
void adamw(const AdamWArgs& args);

// In f64, over fixed blocks combined in order: the same for every number of threads.
double sum_of_squares(const float* values, int64_t count);

}  // namespace sensorium::kernels
