#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/ref/ref.h"

namespace sensorium::kernels::ref {
namespace {

// The integer (q8, q4) or value (bf16) of a weight, by the layout's description in packed.h.
double stored_value(const PackedWeightView& w, int64_t row, int64_t i) {
  const PackedLayout& layout = w.layout;
  const int64_t panel_row = row % kPanelRows, step = i / layout.step_values(), part = i % layout.step_values();
  const int64_t group = layout.group == 0 ? 0 : i / layout.group;
  const std::byte* at = w.data + row / kPanelRows * layout.panel_bytes() + (group + 1) * layout.scale_bytes() +
                        step * layout.step_bytes();
  if (layout.type == PackedType::bf16) {
    bf16 value;
    std::memcpy(&value, at + panel_row * 4 + part * 2, 2);
    return static_cast<double>(static_cast<float>(value));
  }
  if (layout.type == PackedType::q8) return std::to_integer<int>(at[panel_row * 4 + part]) - 128;
  const auto byte = std::to_integer<int>(at[(panel_row / 32 * 16 + panel_row % 16) * 4 + part]);
  return (panel_row % 32 < 16 ? byte & 15 : byte >> 4) - 8;
}

double scale_of(const PackedWeightView& w, int64_t row, int64_t group) {
  if (w.layout.group == 0) return 1;
  f16 scale;
  std::memcpy(
      &scale,
      w.data + row / kPanelRows * w.layout.panel_bytes() + group * w.layout.group_bytes() + row % kPanelRows * 2, 2);
  return static_cast<double>(static_cast<float>(scale));
}

}  // namespace

void packed_linear(const PackedLinearArgs& args) {
  const PackedLayout& layout = args.w.layout;
  const int64_t width = layout.group == 0 ? std::max<int64_t>(layout.k, 1) : layout.group;
  std::vector<double> x(static_cast<size_t>(layout.k));
  for (int64_t row = 0; row < args.m; ++row) {
    std::vector<double> scales(static_cast<size_t>(layout.groups()), 1);
    for (int64_t g = 0; g * width < layout.k; ++g) {
      const int64_t first = g * width, last = std::min(layout.k, first + width);
      float most = 0;
      bool finite = true;
      for (int64_t i = first; i < last; ++i) {
        const auto value = static_cast<float>(get(args.x, row * args.x_stride + i));
        finite = finite && std::isfinite(value);
        most = std::max(most, std::abs(value));
      }
      const float inverse = most > 0 && finite ? 127.0f / most : 0.0f;
      for (int64_t i = first; i < last; ++i) {
        const auto value = static_cast<float>(get(args.x, row * args.x_stride + i));
        x[static_cast<size_t>(i)] = static_cast<double>(layout.group == 0 ? static_cast<float>(bf16(value))
                                                        : finite          ? std::nearbyint(value * inverse)
                                                                          : 0.0f);
      }
      if (layout.group != 0) {
        scales[static_cast<size_t>(g)] =
            finite ? static_cast<double>(most / 127.0f) : std::numeric_limits<double>::quiet_NaN();
      }
    }
    for (int64_t n = 0; n < layout.n; ++n) {
      double sum = args.bias != nullptr ? static_cast<double>(args.bias[n]) : 0.0;
      for (int64_t g = 0; g * width < layout.k; ++g) {
        double part = 0;
        for (int64_t i = g * width; i < std::min(layout.k, (g + 1) * width); ++i)
          part += x[static_cast<size_t>(i)] * stored_value(args.w, n, i);
        sum += part * scales[static_cast<size_t>(g)] * scale_of(args.w, n, g);
      }
      set(args.y, row * args.y_stride + n, args.activation ? unary_value(*args.activation, sum) : sum);
    }
  }
}

void unpack_rows(const UnpackRowsArgs& args) {
  const PackedLayout& layout = args.w.layout;
  for (int64_t i = 0; i < args.count; ++i) {
    const int64_t row = args.rows == nullptr ? i : args.rows[i];
    for (int64_t k = 0; k < layout.k; ++k) {
      const double value =
          row < 0 ? 0.0
                  : stored_value(args.w, row, k) * scale_of(args.w, row, layout.group == 0 ? 0 : k / layout.group);
      set(args.out, i * layout.k + k, value);
    }
  }
}

}  // namespace sensorium::kernels::ref
