#include <algorithm>

#include "kernels/cpu/cpu.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kGrain = 32768;     // elements of a task
constexpr int64_t kSumBlock = 16384;  // elements summed together
constexpr int kScratch = 7;

}  // namespace

void adamw(const AdamWArgs& args) {
  const auto step = static_cast<double>(args.step);
  const auto correct1 = static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(args.beta1), step)));
  const auto correct2 = static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(args.beta2), step)));
  const float keep1 = args.beta1, keep2 = args.beta2, take1 = 1.0f - keep1, take2 = 1.0f - keep2;
  const float rate = args.learning_rate, eps = args.eps, decay = args.weight_decay, scale = args.grad_scale;
  const float keep_ema = args.ema_decay, take_ema = 1.0f - keep_ema;
  const auto update = [=](float grad, float& m, float& v, float& parameter) {
    m = keep1 * m + take1 * grad;
    v = keep2 * v + take2 * grad * grad;
    parameter -= rate * (m * correct1 / (__builtin_sqrtf(v * correct2) + eps) + decay * parameter);
  };
  parallel_for(args.count, kGrain, [&](int64_t begin, int64_t end, int) {
    float* __restrict parameter = args.parameter;
    float* __restrict m = args.m;
    float* __restrict v = args.v;
    float* __restrict ema = args.ema;
    const float* __restrict grad = args.grad;
    if (ema == nullptr) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) update(grad[i] * scale, m[i], v[i], parameter[i]);
    } else {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) {
        update(grad[i] * scale, m[i], v[i], parameter[i]);
        ema[i] = keep_ema * ema[i] + take_ema * parameter[i];
      }
    }
  });
}

double sum_of_squares(const float* values, int64_t count) {
  const int64_t blocks = (count + kSumBlock - 1) / kSumBlock;
  auto* sums = static_cast<double*>(thread_scratch(static_cast<size_t>(blocks) * sizeof(double), kScratch));
  parallel_for(blocks, 4, [&](int64_t first, int64_t last, int) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t end = std::min(count, (block + 1) * kSumBlock);
      // Sixteen sums side by side: the additions of one do not wait for each other.
      double lanes[16] = {};
      int64_t i = block * kSumBlock;
      for (; i + 16 <= end; i += 16) {
        for (int64_t j = 0; j < 16; ++j)
          lanes[j] += static_cast<double>(values[i + j]) * static_cast<double>(values[i + j]);
      }
      double sum = 0;
      for (; i < end; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
      for (const double lane : lanes) sum += lane;
      sums[block] = sum;
    }
  });
  double total = 0;
  for (int64_t block = 0; block < blocks; ++block) total += sums[block];
  return total;
}

SENSORIUM_ISA_END
