#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/ref/ref.h"

namespace sensorium::kernels::ref {

void linear_cross_entropy(const LinearCrossEntropyArgs& a) {
  const auto vocabulary = static_cast<size_t>(a.vocabulary), dim = static_cast<size_t>(a.dim);
  std::vector<double> dw(a.grad_w != nullptr ? vocabulary * dim : 0);
  std::vector<double> logits(vocabulary), dh(dim);
  for (int64_t row = 0; row < a.rows; ++row) {
    for (size_t v = 0; v < vocabulary; ++v) {
      logits[v] = 0;
      for (size_t d = 0; d < dim; ++d) {
        logits[v] += get(a.h, row * a.dim + static_cast<int64_t>(d)) * get(a.w, static_cast<int64_t>(v * dim + d));
      }
    }
    const auto best = std::max_element(logits.begin(), logits.end());
    if (a.best != nullptr) a.best[row] = static_cast<int32_t>(best - logits.begin());
    const double high = *best;
    double sum = 0;
    for (const double logit : logits) sum += std::exp(logit - high);
    const int32_t target = a.targets[row];
    const bool counts = target >= 0;
    a.losses[row] = counts ? static_cast<float>(high + std::log(sum) - logits[static_cast<size_t>(target)]) : 0.0f;

    const double scale = !counts ? 0.0 : a.row_scale != nullptr ? a.row_scale[row] : 1.0;
    std::fill(dh.begin(), dh.end(), 0.0);
    for (size_t v = 0; v < vocabulary; ++v) {
      const bool is_target = static_cast<int64_t>(v) == target;
      const double grad = scale * (std::exp(logits[v] - high) / sum - (is_target ? 1.0 : 0.0));
      for (size_t d = 0; d < dim; ++d) {
        dh[d] += grad * get(a.w, static_cast<int64_t>(v * dim + d));
        if (!dw.empty()) dw[v * dim + d] += grad * get(a.h, row * a.dim + static_cast<int64_t>(d));
      }
    }
    for (size_t d = 0; d < dim && a.grad_h.data != nullptr; ++d) {
      set(a.grad_h, row * a.dim + static_cast<int64_t>(d), dh[d]);
    }
  }
  for (size_t i = 0; i < dw.size(); ++i) a.grad_w[i] = static_cast<float>(a.grad_w[i] + dw[i]);
}

}  // namespace sensorium::kernels::ref
