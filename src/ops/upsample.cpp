// Nearest-neighbour enlargement, plain loops. Legend: P positions of all pictures, C channels.
#include <algorithm>
#include <cstring>

#include "base/threads.h"
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {

using namespace detail;

Tensor upsample(const Tensor& x_PC, const Pictures& pictures, int64_t factor, const Pictures& target) {
  require_pictures(x_PC, pictures, "upsample");
  require_cpu(x_PC, "upsample");
  require(factor >= 1, ErrorKind::shape, "upsample: the factor must be positive, it is {}", factor);
  require(target.count() == pictures.count() && target.widths.size() == target.heights.size(), ErrorKind::shape,
          "upsample: {} pictures but {} target sizes", pictures.count(), target.count());
  for (size_t i = 0; i < pictures.count(); ++i) {
    require(target.heights[i] > 0 && target.widths[i] > 0 && target.heights[i] <= pictures.heights[i] * factor &&
                target.widths[i] <= pictures.widths[i] * factor,
            ErrorKind::shape, "upsample: picture {} ({} x {}) times {} does not cover {} x {}", i, pictures.heights[i],
            pictures.widths[i], factor, target.heights[i], target.widths[i]);
  }
  const int64_t channels = x_PC.dim(1);
  const Tensor y = Tensor::empty({target.positions(), channels}, x_PC.dtype());
  {
    const std::vector<int64_t> in = pictures.offsets(), out = target.offsets();
    const size_t row = static_cast<size_t>(channels) * size_of(x_PC.dtype());
    const auto* from = static_cast<const std::byte*>(x_PC.raw());
    auto* to = static_cast<std::byte*>(y.raw());
    for (size_t picture = 0; picture < pictures.count(); ++picture) {
      const int64_t width = pictures.widths[picture], out_width = target.widths[picture];
      parallel_for(target.heights[picture], 4, [&](int64_t begin, int64_t end, int) {
        for (int64_t oy = begin; oy < end; ++oy) {
          for (int64_t ox = 0; ox < out_width; ++ox) {
            std::memcpy(to + static_cast<size_t>(out[picture] + oy * out_width + ox) * row,
                        from + static_cast<size_t>(in[picture] + oy / factor * width + ox / factor) * row, row);
          }
        }
      });
    }
  }
  return record("upsample", y, {x_PC}, [pictures, target, factor, channels](const Tensor& dy) {
    const Tensor dx = Tensor::empty({pictures.positions(), channels}, dy.dtype());
    const std::vector<int64_t> in = pictures.offsets(), out = target.offsets();
    with_type(dy.dtype(), [&](auto type) {
      using T = decltype(type);
      for (size_t picture = 0; picture < pictures.count(); ++picture) {
        const int64_t width = pictures.widths[picture];
        const int64_t out_height = target.heights[picture], out_width = target.widths[picture];
        parallel_for(pictures.heights[picture], 4, [&](int64_t begin, int64_t end, int) {
          std::vector<float> sum(static_cast<size_t>(channels));
          for (int64_t y0 = begin; y0 < end; ++y0) {
            for (int64_t x0 = 0; x0 < width; ++x0) {
              std::fill(sum.begin(), sum.end(), 0.0f);
              for (int64_t oy = y0 * factor; oy < std::min(out_height, (y0 + 1) * factor); ++oy) {
                for (int64_t ox = x0 * factor; ox < std::min(out_width, (x0 + 1) * factor); ++ox) {
                  const T* row = dy.data<T>() + (out[picture] + oy * out_width + ox) * channels;
                  for (int64_t c = 0; c < channels; ++c) sum[static_cast<size_t>(c)] += static_cast<float>(row[c]);
                }
              }
              T* row = dx.data<T>() + (in[picture] + y0 * width + x0) * channels;
              for (int64_t c = 0; c < channels; ++c) row[c] = T(sum[static_cast<size_t>(c)]);
            }
          }
        });
      }
    });
    return std::vector<Tensor>{dx};
  });
}

}  // namespace sensorium::ops
