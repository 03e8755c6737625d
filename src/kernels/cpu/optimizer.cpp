#include <algorithm>

#include "kernels/cpu/isa.h"

SENSORIUM_ISA_BEGIN

void adamw(const AdamWArgs& args) {
  const auto step = static_cast<double>(args.step);
  const auto correct1 = static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(args.beta1), step)));
  const auto correct2 = static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(args.beta2), step)));
  parallel_for(args.count, 32768, [&](int64_t begin, int64_t end, int) {
    float* __restrict parameter = args.parameter;
    float* __restrict m = args.m;
    float* __restrict v = args.v;
    const float* __restrict grads = args.grad;
    for (int64_t i = begin; i < end; ++i) {
      const float grad = grads[i] * args.grad_scale;
      const float first = args.beta1 * m[i] + (1.0f - args.beta1) * grad;
      const float second = args.beta2 * v[i] + (1.0f - args.beta2) * grad * grad;
      m[i] = first;
      v[i] = second;
      const float update = first * correct1 / (std::sqrt(second * correct2) + args.eps) + args.weight_decay * parameter[i];
      parameter[i] -= args.learning_rate * update;
    }
    if (args.ema == nullptr) return;
    for (int64_t i = begin; i < end; ++i) args.ema[i] = args.ema_decay * args.ema[i] + (1.0f - args.ema_decay) * parameter[i];
  });
}

double sum_of_squares(const float* values, int64_t count) {
  constexpr int64_t kBlock = 8192;
  const int64_t blocks = (count + kBlock - 1) / kBlock;
  auto* sums = static_cast<double*>(thread_scratch(static_cast<size_t>(blocks) * sizeof(double), 3));
  parallel_for(blocks, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block) {
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t i = block * kBlock; i < std::min(count, (block + 1) * kBlock); ++i) {
        sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
      }
      sums[block] = sum;
    }
  });
  double total = 0;
  for (int64_t block = 0; block < blocks; ++block) total += sums[block];
  return total;
}

SENSORIUM_ISA_END
