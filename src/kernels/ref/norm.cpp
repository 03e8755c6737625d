#include <cmath>
#include <vector>

#include "kernels/ref/ref.h"

namespace sensorium::kernels::ref {
namespace {

double activate(NormActivation activation, double z) {
  switch (activation) {
    case NormActivation::none:
      return z;
    case NormActivation::relu:
      return z < 0 ? 0 : z;  // NaN passes
    case NormActivation::silu:
      return z / (1 + std::exp(-z));
  }
  return z;
}

double slope(NormActivation activation, double z) {
  switch (activation) {
    case NormActivation::none:
      return 1;
    case NormActivation::relu:
      return z > 0 ? 1 : 0;
    case NormActivation::silu: {
      const double s = 1 / (1 + std::exp(-z));
      return s * (1 + z * (1 - s));
    }
  }
  return 1;
}

void add(float* sums, const std::vector<double>& terms) {
  if (sums == nullptr) return;
  for (size_t c = 0; c < terms.size(); ++c) sums[c] = static_cast<float>(sums[c] + terms[c]);
}

// LayerNorm; with `centre` false RMSNorm, whose mean counts as 0.
void row_norm(const RowNormArgs& args, bool centre) {
  const auto cols = static_cast<double>(args.cols);
  for (int64_t r = 0; r < args.rows; ++r) {
    const int64_t row = r * args.cols;
    double mean = 0, squares = 0;
    for (int64_t c = 0; centre && c < args.cols; ++c) mean += get(args.x, row + c) / cols;
    for (int64_t c = 0; c < args.cols; ++c) squares += std::pow(get(args.x, row + c) - mean, 2) / cols;
    const double inverse = 1 / std::sqrt(squares + static_cast<double>(args.eps));
    if (centre && args.mean != nullptr) args.mean[r] = static_cast<float>(mean);
    if (args.inverse_std != nullptr) args.inverse_std[r] = static_cast<float>(inverse);
    for (int64_t c = 0; c < args.cols; ++c) {
      const double bias = centre && args.bias != nullptr ? args.bias[c] : 0;
      set(args.y, row + c, (get(args.x, row + c) - mean) * inverse * args.weight[c] + bias);
    }
  }
}

// With n = (x - mean) * inverse and g = dy * weight: dx = inverse * (g - mean(g) - n * mean(g n)); RMSNorm has no mean(g).
void row_norm_backward(const RowNormBackwardArgs& args, bool centre) {
  const RowNormArgs& forward = args.forward;
  const auto cols = static_cast<double>(forward.cols);
  std::vector<double> grad_weight(static_cast<size_t>(forward.cols)), grad_bias(grad_weight);
  for (int64_t r = 0; r < forward.rows; ++r) {
    const int64_t row = r * forward.cols;
    const double mean = centre ? forward.mean[r] : 0, inverse = forward.inverse_std[r];
    double sum = 0, dot = 0;
    for (int64_t c = 0; c < forward.cols; ++c) {
      const double n = (get(forward.x, row + c) - mean) * inverse, dy = get(args.grad_y, row + c);
      sum += dy * forward.weight[c] / cols;
      dot += dy * forward.weight[c] * n / cols;
      grad_weight[static_cast<size_t>(c)] += dy * n;
      grad_bias[static_cast<size_t>(c)] += dy;
    }
    for (int64_t c = 0; c < forward.cols; ++c) {
      const double n = (get(forward.x, row + c) - mean) * inverse, g = get(args.grad_y, row + c) * forward.weight[c];
      set(args.grad_x, row + c, inverse * (g - (centre ? sum : 0) - n * dot));
    }
  }
  add(args.grad_weight, grad_weight);
  if (centre) add(args.grad_bias, grad_bias);
}

}  // namespace

void rms_norm(const RowNormArgs& args) { row_norm(args, false); }
void layer_norm(const RowNormArgs& args) { row_norm(args, true); }
void rms_norm_backward(const RowNormBackwardArgs& args) { row_norm_backward(args, false); }
void layer_norm_backward(const RowNormBackwardArgs& args) { row_norm_backward(args, true); }

void group_norm(const GroupNormArgs& args) {
  const int64_t channels = args.channels, width = channels / args.groups;
  for (size_t i = 0; i + 1 < args.offsets.size(); ++i) {
    const int64_t first = args.offsets[i], last = args.offsets[i + 1];
    const auto count = static_cast<double>((last - first) * width);
    for (int64_t g = 0; g < args.groups; ++g) {
      double mean = 0, squares = 0;
      const auto for_elements = [&](auto&& fn) {
        for (int64_t r = first; r < last; ++r) {
          for (int64_t c = g * width; c < (g + 1) * width; ++c) fn(r * channels + c, c);
        }
      };
      for_elements([&](int64_t at, int64_t) { mean += get(args.x, at) / count; });
      for_elements([&](int64_t at, int64_t) { squares += std::pow(get(args.x, at) - mean, 2) / count; });
      const double inverse = 1 / std::sqrt(squares + static_cast<double>(args.eps));
      const auto statistic = static_cast<int64_t>(i) * args.groups + g;
      if (args.mean != nullptr) args.mean[statistic] = static_cast<float>(mean);
      if (args.inverse_std != nullptr) args.inverse_std[statistic] = static_cast<float>(inverse);
      for_elements([&](int64_t at, int64_t c) {
        set(args.y, at, activate(args.activation, (get(args.x, at) - mean) * inverse * args.weight[c] + args.bias[c]));
      });
    }
  }
}

void group_norm_backward(const GroupNormBackwardArgs& args) {
  const GroupNormArgs& forward = args.forward;
  const int64_t channels = forward.channels, width = channels / forward.groups;
  std::vector<double> grad_weight(static_cast<size_t>(channels)), grad_bias(grad_weight);
  for (size_t i = 0; i + 1 < forward.offsets.size(); ++i) {
    const int64_t first = forward.offsets[i], last = forward.offsets[i + 1];
    const auto count = static_cast<double>((last - first) * width);
    for (int64_t g = 0; g < forward.groups; ++g) {
      const auto statistic = static_cast<int64_t>(i) * forward.groups + g;
      const double mean = forward.mean[statistic], inverse = forward.inverse_std[statistic];
      // fn(position, channel, normalised value, gradient of the activation's input)
      const auto for_elements = [&](auto&& fn) {
        for (int64_t r = first; r < last; ++r) {
          for (int64_t c = g * width; c < (g + 1) * width; ++c) {
            const int64_t at = r * channels + c;
            const double n = (get(forward.x, at) - mean) * inverse;
            fn(at, c, n, get(args.grad_y, at) * slope(forward.activation, n * forward.weight[c] + forward.bias[c]));
          }
        }
      };
      double sum = 0, dot = 0;
      for_elements([&](int64_t, int64_t c, double n, double dz) {
        sum += dz * forward.weight[c] / count;
        dot += dz * forward.weight[c] * n / count;
        grad_weight[static_cast<size_t>(c)] += dz * n;
        grad_bias[static_cast<size_t>(c)] += dz;
      });
      for_elements([&](int64_t at, int64_t c, double n, double dz) {
        set(args.grad_x, at, inverse * (dz * forward.weight[c] - sum - n * dot));
      });
    }
  }
  add(args.grad_weight, grad_weight);
  add(args.grad_bias, grad_bias);
}

}  // namespace sensorium::kernels::ref
