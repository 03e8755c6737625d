// Legend: T rows, C channels.
#include <algorithm>

#include "base/threads.h"
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {

using namespace detail;
using kernels::KernelTable;

Tensor segment_mean(const Tensor& x_TC, std::span<const int64_t> offsets) {
  require_activation(x_TC, "segment_mean", "x");
  require_rank(x_TC, 2, "segment_mean", "x");
  require(!offsets.empty() && offsets.front() >= 0 && offsets.back() <= x_TC.dim(0) &&
              std::is_sorted(offsets.begin(), offsets.end()),
          ErrorKind::shape, "segment_mean: offsets must rise within the {} rows of x", x_TC.dim(0));
  const auto segments = static_cast<int64_t>(offsets.size()) - 1;
  const int64_t channels = x_TC.dim(1);
  const Tensor y = Tensor::empty({segments, channels}, x_TC.dtype(), x_TC.device());
  launch(&KernelTable::segment_mean, x_TC, "segment_mean",
         {.offsets = offsets, .cols = channels, .x = view(x_TC), .y = view(y)});
  return record("segment_mean", y, {x_TC},
                [shape = x_TC.shape(), channels,
                 bounds = std::vector<int64_t>(offsets.begin(), offsets.end())](const Tensor& dy) {
                  require_cpu(dy, "segment_mean");
                  const int64_t covered = bounds.back() - bounds.front();
                  const Tensor dx =
                      covered == shape[0] ? Tensor::empty(shape, dy.dtype()) : Tensor::zeros(shape, dy.dtype());
                  with_type(dy.dtype(), [&](auto type) {
                    using T = decltype(type);
                    parallel_for(static_cast<int64_t>(bounds.size()) - 1, 1, [&](int64_t begin, int64_t end, int) {
                      std::vector<T> row(static_cast<size_t>(channels));
                      for (int64_t segment = begin; segment < end; ++segment) {
                        const int64_t first = bounds[static_cast<size_t>(segment)],
                                      last = bounds[static_cast<size_t>(segment) + 1];
                        const float factor = 1.0f / static_cast<float>(std::max<int64_t>(last - first, 1));
                        const T* from = dy.data<T>() + segment * channels;
                        for (int64_t c = 0; c < channels; ++c)
                          row[static_cast<size_t>(c)] = T(static_cast<float>(from[c]) * factor);
                        for (int64_t r = first; r < last; ++r)
                          std::copy(row.begin(), row.end(), dx.data<T>() + r * channels);
                      }
                    });
                  });
                  return std::vector<Tensor>{dx};
                });
}

}  // namespace sensorium::ops
