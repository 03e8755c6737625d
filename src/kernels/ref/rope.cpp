#include <cmath>
#include <vector>

#include "kernels/ref/ref.h"

namespace sensorium::kernels::ref {
namespace {

// The angle of channel pair `pair` at row `row`.
double angle(const RopeTable& table, int64_t head_dim, int64_t row, int64_t pair) {
  const int64_t per_axis = head_dim / 2 / table.axes;
  const int64_t axis = pair / per_axis;
  if (table.frequencies != nullptr) return table.positions[row] * static_cast<double>(table.frequencies[pair]);
  const double exponent = -2.0 * static_cast<double>(pair % per_axis) / static_cast<double>(head_dim / table.axes);
  return table.positions[row * table.axes + axis] * std::pow(static_cast<double>(table.theta), exponent);
}

// Turns the head x[D]; by the negative angles if `sign` is -1.
void turn(std::vector<double>& x, const RopeTable& table, int64_t row, double sign) {
  const auto half = static_cast<int64_t>(x.size() / 2);
  for (int64_t c = 0; c < half; ++c) {
    const double a = sign * angle(table, 2 * half, row, c);
    double& low = x[static_cast<size_t>(c)];
    double& high = x[static_cast<size_t>(c + half)];
    const double turned = low * std::cos(a) - high * std::sin(a);
    high = high * std::cos(a) + low * std::sin(a);
    low = turned;
  }
}

std::vector<double> load(ConstView view, int64_t index, int64_t count) {
  std::vector<double> result(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) result[static_cast<size_t>(i)] = get(view, index + i);
  return result;
}
void store(View view, int64_t index, const std::vector<double>& values) {
  for (size_t i = 0; i < values.size(); ++i) set(view, index + static_cast<int64_t>(i), values[i]);
}

double inverse_rms(const std::vector<double>& x, float eps) {
  double sum = 0;
  for (const double value : x) sum += value * value;
  return 1.0 / std::sqrt(sum / static_cast<double>(x.size()) + eps);
}

}  // namespace

void rope(const RopeArgs& a) {
  for (int64_t row = 0; row < a.rows; ++row) {
    for (int64_t head = 0; head < a.heads; ++head) {
      const int64_t at = row * a.row_stride + head * a.head_dim;
      std::vector<double> x = load(a.x, at, a.head_dim);
      turn(x, a.table, row, a.inverse ? -1.0 : 1.0);
      store(a.x, at, x);
    }
  }
}

void head_norm_rope(const HeadNormRopeArgs& a) {
  const int64_t slots = a.heads + 2 * a.kv_heads, turned = a.heads + a.kv_heads;
  for (int64_t row = 0; row < a.rows; ++row) {
    for (int64_t slot = 0; slot < slots; ++slot) {
      const int64_t at = (row * slots + slot) * a.head_dim;
      std::vector<double> x = load(a.qkv, at, a.head_dim);
      const float* weight = slot < a.heads ? a.q_weight : a.k_weight;
      if (slot < turned) {
        const double inverse = inverse_rms(x, a.eps);
        for (size_t d = 0; d < x.size() && weight != nullptr; ++d) x[d] *= inverse * weight[d];
        if (a.inverse_rms != nullptr) a.inverse_rms[row * turned + slot] = static_cast<float>(inverse);
        if (a.table.positions != nullptr) turn(x, a.table, row, 1.0);
      }
      store(a.y, at, x);
    }
  }
}

void head_norm_rope_backward(const HeadNormRopeBackwardArgs& args) {
  const HeadNormRopeArgs& a = args.forward;
  const int64_t slots = a.heads + 2 * a.kv_heads, turned = a.heads + a.kv_heads;
  const auto D = static_cast<size_t>(a.head_dim);
  std::vector<double> dq_weight(D), dk_weight(D);
  for (int64_t row = 0; row < a.rows; ++row) {
    for (int64_t slot = 0; slot < slots; ++slot) {
      const int64_t at = (row * slots + slot) * a.head_dim;
      std::vector<double> dy = load(args.grad_y, at, a.head_dim);
      const float* weight = slot < a.heads ? a.q_weight : a.k_weight;
      if (slot < turned && a.table.positions != nullptr) turn(dy, a.table, row, -1.0);
      if (slot < turned && weight != nullptr) {
        const std::vector<double> x = load(a.qkv, at, a.head_dim);
        const double inverse = inverse_rms(x, a.eps);
        std::vector<double>& dw = slot < a.heads ? dq_weight : dk_weight;
        double mean = 0;
        for (size_t d = 0; d < D; ++d) {
          const double normal = x[d] * inverse;
          dw[d] += dy[d] * normal;
          dy[d] *= weight[d];
          mean += dy[d] * normal / static_cast<double>(D);
        }
        for (size_t d = 0; d < D; ++d) dy[d] = inverse * (dy[d] - mean * x[d] * inverse);
      }
      store(args.grad_qkv, at, dy);
    }
  }
  for (size_t d = 0; d < D; ++d) {
    if (args.grad_q_weight != nullptr) args.grad_q_weight[d] += static_cast<float>(dq_weight[d]);
    if (args.grad_k_weight != nullptr) args.grad_k_weight[d] += static_cast<float>(dk_weight[d]);
  }
}

}  // namespace sensorium::kernels::ref
