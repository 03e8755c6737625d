#include <vector>

#include "kernels/ref/ref.h"

namespace sensorium::kernels::ref {
namespace {

// Calls fn(x row, y row, tap) for every pair of positions that a tap of the kernel joins.
template <typename Fn>
void for_taps(const Conv2dArgs& a, Fn&& fn) {
  int64_t x0 = 0, y0 = 0;
  for (size_t i = 0; i < a.heights.size(); ++i) {
    const int64_t height = a.heights[i], width = a.widths[i];
    const int64_t rows = conv_output_size(height, a.kernel, a.stride, a.padding);
    const int64_t columns = conv_output_size(width, a.kernel, a.stride, a.padding);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t column = 0; column < columns; ++column) {
        for (int64_t tap = 0; tap < a.kernel * a.kernel; ++tap) {
          const int64_t y = row * a.stride - a.padding + tap / a.kernel;
          const int64_t x = column * a.stride - a.padding + tap % a.kernel;
          if (y < 0 || y >= height || x < 0 || x >= width) continue;
          fn(x0 + y * width + x, y0 + row * columns + column, tap);
        }
      }
    }
    x0 += height * width;
    y0 += rows * columns;
  }
}

// Calls fn(output channel, input channel, index of the weight) for the pairs of channels that a tap joins.
template <typename Fn>
void for_channels(const Conv2dArgs& a, int64_t tap, Fn&& fn) {
  const int64_t taps = a.kernel * a.kernel, per_group = a.in_channels / a.groups;
  for (int64_t n = 0; n < a.out_channels; ++n) {
    for (int64_t c = 0; c < per_group; ++c) {
      fn(n, a.groups == 1 ? c : n, (n * taps + tap) * per_group + c);
    }
  }
}

int64_t positions(const Conv2dArgs& a, bool output) {
  int64_t sum = 0;
  for (size_t i = 0; i < a.heights.size(); ++i) {
    sum += output ? conv_output_size(a.heights[i], a.kernel, a.stride, a.padding) *
                        conv_output_size(a.widths[i], a.kernel, a.stride, a.padding)
                  : int64_t{a.heights[i]} * a.widths[i];
  }
  return sum;
}

void write(View view, const std::vector<double>& values) {
  for (size_t i = 0; i < values.size(); ++i) set(view, static_cast<int64_t>(i), values[i]);
}

}  // namespace

void conv2d(const Conv2dArgs& a) {
  std::vector<double> y(static_cast<size_t>(positions(a, true) * a.out_channels));
  for (size_t i = 0; i < y.size() && a.bias != nullptr; ++i) y[i] = a.bias[i % static_cast<size_t>(a.out_channels)];
  for_taps(a, [&](int64_t from, int64_t to, int64_t tap) {
    for_channels(a, tap, [&](int64_t n, int64_t c, int64_t weight) {
      y[static_cast<size_t>(to * a.out_channels + n)] += get(a.x, from * a.in_channels + c) * get(a.w, weight);
    });
  });
  write(a.y, y);
}

void conv2d_backward_input(const Conv2dArgs& a) {
  std::vector<double> dx(static_cast<size_t>(positions(a, false) * a.in_channels));
  for_taps(a, [&](int64_t to, int64_t from, int64_t tap) {
    for_channels(a, tap, [&](int64_t n, int64_t c, int64_t weight) {
      dx[static_cast<size_t>(to * a.in_channels + c)] += get(a.y, from * a.out_channels + n) * get(a.w, weight);
    });
  });
  write(a.x, dx);
}

void conv2d_backward_weight(const Conv2dArgs& a) {
  std::vector<double> dw(static_cast<size_t>(a.out_channels * a.kernel * a.kernel * (a.in_channels / a.groups)));
  for_taps(a, [&](int64_t x, int64_t y, int64_t tap) {
    for_channels(a, tap, [&](int64_t n, int64_t c, int64_t weight) {
      dw[static_cast<size_t>(weight)] += get(a.x, x * a.in_channels + c) * get(a.y, y * a.out_channels + n);
    });
  });
  for (size_t i = 0; i < dw.size(); ++i) {
    set(a.w, static_cast<int64_t>(i), get(a.w, static_cast<int64_t>(i)) + dw[i]);
  }
  for (int64_t n = 0; n < a.out_channels && a.bias != nullptr; ++n) {
    double sum = 0;
    for (int64_t p = 0; p < positions(a, true); ++p) sum += get(a.y, p * a.out_channels + n);
    a.bias[n] = static_cast<float>(a.bias[n] + sum);
  }
}

}  // namespace sensorium::kernels::ref
