#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/check.h"
#include "kernels/ref/ref.h"

namespace sensorium::kernels::ref {

void cross_entropy(const CrossEntropyArgs& args) {
  check_targets("cross_entropy", args.targets, args.rows, args.classes);
  const double smoothing = args.label_smoothing;
  const double uniform = smoothing / static_cast<double>(args.classes);
  for (int64_t r = 0; r < args.rows; ++r) {
    const int64_t row = r * args.classes, target = args.targets[r];
    if (target < 0) {
      args.losses[r] = 0;
      for (int64_t c = 0; args.grad.data != nullptr && c < args.classes; ++c) set(args.grad, row + c, 0);
      continue;
    }
    double most = -std::numeric_limits<double>::infinity(), sum = 0, mean = 0;
    for (int64_t c = 0; c < args.classes; ++c) most = std::max(most, get(args.logits, row + c));
    for (int64_t c = 0; c < args.classes; ++c) {
      sum += std::exp(get(args.logits, row + c) - most);
      mean += get(args.logits, row + c) / static_cast<double>(args.classes);
    }
    const double log_sum_exp = most + std::log(sum);
    const double hit = log_sum_exp - get(args.logits, row + target);
    args.losses[r] =
        static_cast<float>(smoothing == 0 ? hit : (1 - smoothing) * hit + smoothing * (log_sum_exp - mean));
    if (args.grad.data == nullptr) continue;
    const double scale = args.row_scale != nullptr ? args.row_scale[r] : 1;
    for (int64_t c = 0; c < args.classes; ++c) {
      const double wanted = uniform + (c == target ? 1 - smoothing : 0);
      set(args.grad, row + c, scale * (std::exp(get(args.logits, row + c) - log_sum_exp) - wanted));
    }
  }
}

}  // namespace sensorium::kernels::ref
