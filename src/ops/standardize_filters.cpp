// Weight standardisation (Qiao 2019), scaled as in NFNets (Brock 2021): plain loops, one filter after another.
// Legend: N filters, F elements of one filter (kernel x kernel x channels).
#include <cmath>

#include "base/threads.h"
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {
namespace {

using namespace detail;

struct Moments {
  double mean, inverse_std;
};

// The sum of term(0) .. term(count - 1) in eight partial sums, so that additions need not wait for one another.
template <class Term>
double sum_of(int64_t count, const Term& term) {
  double partial[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int64_t k = 0; k < 8; ++k) partial[k] += term(i + k);
  }
  for (; i < count; ++i) partial[i % 8] += term(i);
  return ((partial[0] + partial[1]) + (partial[2] + partial[3])) +
         ((partial[4] + partial[5]) + (partial[6] + partial[7]));
}

Moments moments_of(const float* w, int64_t count, float eps) {
  const double mean = sum_of(count, [&](int64_t i) { return double{w[i]}; }) / static_cast<double>(count);
  const double squares = sum_of(count, [&](int64_t i) { return (w[i] - mean) * (w[i] - mean); });
  return {mean, 1.0 / std::sqrt(squares / static_cast<double>(count) + eps)};
}

}  // namespace

Tensor standardize_filters(const Tensor& weight_NKKC, const Tensor& gain_N, float eps) {
  require(weight_NKKC.defined() && weight_NKKC.rank() >= 2 && weight_NKKC.elements() > 0, ErrorKind::shape,
          "standardize_filters: the weight must be [N, ...]");
  require_cpu(weight_NKKC, "standardize_filters");
  require_shape(gain_N, {weight_NKKC.dim(0)}, "standardize_filters", "the gain");
  const Tensor weight = as_f32(weight_NKKC), gain = as_f32(gain_N);
  const int64_t filters = weight.dim(0), size = weight.elements() / filters;
  const float fan_in_scale = 1.0f / std::sqrt(static_cast<float>(size));

  const Tensor y = Tensor::empty(weight.shape(), DType::f32);
  const float* w = weight.data<float>();
  const float* g = gain.data<float>();
  float* out = y.data<float>();
  parallel_for(filters, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      const Moments moments = moments_of(w + n * size, size, eps);
      const auto factor = static_cast<float>(moments.inverse_std) * g[n] * fan_in_scale;
      const auto mean = static_cast<float>(moments.mean);
      for (int64_t i = n * size; i < (n + 1) * size; ++i) out[i] = (w[i] - mean) * factor;
    }
  });

  return record("standardize_filters", y, {weight_NKKC, gain_N},
                [weight_NKKC, gain_N, weight, gain, filters, size, fan_in_scale, eps](const Tensor& dy) {
                  const GradTarget dw_target(weight_NKKC), dgain_target(gain_N);
                  const float *values = weight.data<float>(), *gains = gain.data<float>(), *dout = dy.data<float>();
                  float *dw = dw_target.data(), *dgain = dgain_target.data();
                  parallel_for(filters, 4, [&](int64_t begin, int64_t end, int) {
                    for (int64_t n = begin; n < end; ++n) {
                      // With z = (w - mean) / std and y = z * gain / sqrt(F):
                      //   dgain = sum(dy z) / sqrt(F);  dw = (dz - mean(dz) - z mean(dz z)) / std
                      const Moments moments = moments_of(values + n * size, size, eps);
                      const float *value = values + n * size, *slopes = dout + n * size;
                      const double sum = sum_of(size, [&](int64_t i) { return double{slopes[i]}; });
                      const double dot = moments.inverse_std *
                                         sum_of(size, [&](int64_t i) { return slopes[i] * (value[i] - moments.mean); });
                      if (dgain) dgain[n] += static_cast<float>(dot * fan_in_scale);
                      if (!dw) continue;
                      const auto factor = static_cast<float>(moments.inverse_std) * gains[n] * fan_in_scale;
                      const auto mean_dy = static_cast<float>(sum / static_cast<double>(size));
                      const auto slope = static_cast<float>(dot / static_cast<double>(size) * moments.inverse_std);
                      const auto mean = static_cast<float>(moments.mean);
                      for (int64_t i = n * size; i < (n + 1) * size; ++i)
                        dw[i] += factor * (dout[i] - mean_dy - (values[i] - mean) * slope);
                    }
                  });
                  return std::vector<Tensor>{dw_target.result(), dgain_target.result()};
                });
}

}  // namespace sensorium::ops
