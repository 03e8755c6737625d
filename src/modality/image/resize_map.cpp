#include "modality/image/resize_map.h"

#include <algorithm>

#include "base/error.h"
#include "base/threads.h"
#include "tensor/autograd.h"

namespace sensorium::modality {
namespace {

// The two source positions of a position in the result, and the second one's weight.
struct Tap {
  int64_t first, second;
  float weight;
};

Tap tap_of(int64_t position, int64_t from, int64_t to) {
  const float scale = static_cast<float>(from) / static_cast<float>(to);
  const float at = std::max(0.0f, (static_cast<float>(position) + 0.5f) * scale - 0.5f);
  const int64_t first = std::min(static_cast<int64_t>(at), from - 1);
  return {first, std::min(first + 1, from - 1), at - static_cast<float>(first)};
}

// The transposed map: every position of the result gives its gradient to the four that it was made of.
Tensor resize_map_backward(const Tensor& grad_TC, Extent from, Extent to) {
  const Tensor source_TC = grad_TC.to(DType::f32);
  const int64_t channels = grad_TC.dim(1);
  const Tensor result_TC = Tensor::zeros({from.height * from.width, channels});
  for (int64_t y = 0; y < to.height; ++y) {
    const Tap row = tap_of(y, from.height, to.height);
    for (int64_t x = 0; x < to.width; ++x) {
      const Tap column = tap_of(x, from.width, to.width);
      const float* grad = source_TC.data<float>() + (y * to.width + x) * channels;
      const auto give = [&](int64_t r, int64_t c, float weight) {
        float* out = result_TC.data<float>() + (r * from.width + c) * channels;
        for (int64_t i = 0; i < channels; ++i) out[i] += weight * grad[i];
      };
      give(row.first, column.first, (1 - row.weight) * (1 - column.weight));
      give(row.first, column.second, (1 - row.weight) * column.weight);
      give(row.second, column.first, row.weight * (1 - column.weight));
      give(row.second, column.second, row.weight * column.weight);
    }
  }
  return result_TC.to(grad_TC.dtype());
}

}  // namespace

Tensor resize_map(const Tensor& map_TC, Extent from, Extent to) {
  require(from.height > 0 && from.width > 0 && to.height > 0 && to.width > 0 && map_TC.rank() == 2 &&
              map_TC.dim(0) == from.height * from.width,
          ErrorKind::shape, "a map of {} x {} features, given as {}, resized to {} x {}", from.height, from.width,
          map_TC.shape(), to.height, to.width);
  const Tensor source_TC = map_TC.to(DType::f32);
  const int64_t channels = map_TC.dim(1);
  const Tensor result_TC = Tensor::empty({to.height * to.width, channels});
  const float* source = source_TC.data<float>();
  float* result = result_TC.data<float>();
  parallel_for(to.height, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t y = begin; y < end; ++y) {
      const Tap row = tap_of(y, from.height, to.height);
      for (int64_t x = 0; x < to.width; ++x) {
        const Tap column = tap_of(x, from.width, to.width);
        const auto at = [&](int64_t r, int64_t c) { return source + (r * from.width + c) * channels; };
        const float *top_left = at(row.first, column.first), *top_right = at(row.first, column.second),
                    *bottom_left = at(row.second, column.first), *bottom_right = at(row.second, column.second);
        float* out = result + (y * to.width + x) * channels;
        for (int64_t c = 0; c < channels; ++c) {
          const float top = (1 - column.weight) * top_left[c] + column.weight * top_right[c],
                      bottom = (1 - column.weight) * bottom_left[c] + column.weight * bottom_right[c];
          out[c] = (1 - row.weight) * top + row.weight * bottom;
        }
      }
    }
  });
  return record("resize_map", result_TC.to(map_TC.dtype()), {map_TC},
                [from, to](const Tensor& dy) { return std::vector<Tensor>{resize_map_backward(dy, from, to)}; });
}

}  // namespace sensorium::modality
