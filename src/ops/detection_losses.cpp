// Losses of dense detection, plain loops. Gradients are computed in the forward pass and scaled in the backward pass.
// Legend: P cells, Q queries, R boxes.
#include <algorithm>
#include <cmath>

#include "base/threads.h"
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {
namespace {

using namespace detail;

constexpr int64_t kBlock = 4096;  // elements whose losses are summed together: fixes the order of the additions

Tensor scalar(const std::vector<double>& block_sums) {
  double total = 0;
  for (const double sum : block_sums) total += sum;
  return Tensor::full({1}, static_cast<float>(total));
}

// A node that returns grad times the gradient of the loss.
Tensor record_loss(const char* op, const Tensor& loss, const Tensor& input, const Tensor& grad) {
  return record(op, loss, {input}, [grad](const Tensor& dy) { return std::vector<Tensor>{scaled(grad, dy.item())}; });
}

struct Term {
  float loss = 0, slope = 0;
};

// With s = sigmoid(x): -(1-s)^2 log s at a centre, -(1-t)^4 s^2 log(1-s) elsewhere.
Term focal_term(float x, float target) {
  if (target < 0.0f) return {};
  const float e = std::exp(-std::abs(x));
  const float log1p_e = std::log1p(e);
  const float s = x >= 0 ? 1.0f / (1.0f + e) : e / (1.0f + e), r = x >= 0 ? e / (1.0f + e) : 1.0f / (1.0f + e);
  const float log_s = std::min(x, 0.0f) - log1p_e, log_r = std::min(-x, 0.0f) - log1p_e;
  if (target >= 1.0f) return {-r * r * log_s, r * r * (2.0f * s * log_s - r)};
  const float q = (1.0f - target) * (1.0f - target), weight = q * q;
  return {-weight * s * s * log_r, weight * s * s * (s - 2.0f * r * log_r)};
}

// 1 - generalised IoU of two boxes around one point, given by their distances to it; `slope` receives the gradient by
// the four predicted distances.
float giou_term(const float* p, const float* t, float* slope) {
  constexpr float kTiny = 1e-9f;
  const float pw = p[0] + p[2], ph = p[1] + p[3];
  const float iw = std::min(p[0], t[0]) + std::min(p[2], t[2]), ih = std::min(p[1], t[1]) + std::min(p[3], t[3]);
  const float ew = std::max(p[0], t[0]) + std::max(p[2], t[2]), eh = std::max(p[1], t[1]) + std::max(p[3], t[3]);
  const float both = iw * ih, hull = std::max(ew * eh, kTiny);
  const float either = std::max(pw * ph + (t[0] + t[2]) * (t[1] + t[3]) - both, kTiny);
  // loss = 1 - both/either + (hull - either)/hull = 2 - both/either - either/hull
  for (int side = 0; side < 4; ++side) {
    const bool horizontal = side % 2 == 0, inside = p[side] < t[side];
    const float dboth = inside ? (horizontal ? ih : iw) : 0.0f;
    const float dhull = inside ? 0.0f : (horizontal ? eh : ew);
    const float deither = (horizontal ? ph : pw) - dboth;
    slope[side] =
        -(dboth * either - both * deither) / (either * either) - (deither * hull - either * dhull) / (hull * hull);
  }
  return 2.0f - both / either - either / hull;
}

void check_normalizer(double normalizer, const char* op) {
  require(normalizer > 0, ErrorKind::shape, "{}: the normalizer must be positive, it is {}", op, normalizer);
}

}  // namespace

Tensor center_focal_loss(const Tensor& logits, const Tensor& target, double normalizer) {
  require_activation(logits, "center_focal_loss", "the logits");
  require_cpu(logits, "center_focal_loss");
  require_shape(target, logits.shape(), "center_focal_loss", "the target");
  require_dtype(target, DType::f32, "center_focal_loss", "the target");
  check_normalizer(normalizer, "center_focal_loss");
  const int64_t count = logits.elements(), blocks = (count + kBlock - 1) / kBlock;
  const bool recorded = will_record({logits});
  const Tensor grad = recorded ? Tensor::empty(logits.shape(), logits.dtype()) : Tensor();
  const auto inverse = static_cast<float>(1.0 / normalizer);
  std::vector<double> sums(static_cast<size_t>(blocks));
  with_type(logits.dtype(), [&](auto type) {
    using T = decltype(type);
    const T* x = logits.data<T>();
    const float* t = target.data<float>();
    T* slope = recorded ? grad.data<T>() : nullptr;
    parallel_for(blocks, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t block = begin; block < end; ++block) {
        double sum = 0;
        for (int64_t i = block * kBlock; i < std::min(count, (block + 1) * kBlock); ++i) {
          const Term term = focal_term(static_cast<float>(x[i]), t[i]);
          sum += term.loss;
          if (slope) slope[i] = T(term.slope * inverse);
        }
        sums[static_cast<size_t>(block)] = sum / normalizer;
      }
    });
  });
  return record_loss("center_focal_loss", scalar(sums), logits, grad);
}

Tensor giou_loss(const Tensor& distances_R4, const Tensor& target_R4, const Tensor& weights_R, double normalizer) {
  require_activation(distances_R4, "giou_loss", "the distances");
  require_cpu(distances_R4, "giou_loss");
  require_rank(distances_R4, 2, "giou_loss", "the distances");
  const int64_t rows = distances_R4.dim(0);
  require_shape(distances_R4, {rows, 4}, "giou_loss", "the distances");
  require_shape(target_R4, {rows, 4}, "giou_loss", "the target");
  require_dtype(target_R4, DType::f32, "giou_loss", "the target");
  require_shape(weights_R, {rows}, "giou_loss", "the weights");
  require_dtype(weights_R, DType::f32, "giou_loss", "the weights");
  check_normalizer(normalizer, "giou_loss");
  const bool recorded = will_record({distances_R4});
  const Tensor grad = recorded ? Tensor::empty(distances_R4.shape(), distances_R4.dtype()) : Tensor();
  double sum = 0;
  with_type(distances_R4.dtype(), [&](auto type) {
    using T = decltype(type);
    for (int64_t r = 0; r < rows; ++r) {
      float predicted[4], slope[4];
      for (int64_t c = 0; c < 4; ++c) predicted[c] = static_cast<float>(distances_R4.data<T>()[r * 4 + c]);
      const auto weight = static_cast<float>(weights_R.data<float>()[r] / normalizer);
      sum += static_cast<double>(giou_term(predicted, target_R4.data<float>() + r * 4, slope)) * weight;
      for (int64_t c = 0; recorded && c < 4; ++c) grad.data<T>()[r * 4 + c] = T(slope[c] * weight);
    }
  });
  return record_loss("giou_loss", scalar({sum}), distances_R4, grad);
}

}  // namespace sensorium::ops
