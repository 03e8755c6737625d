// Sums of losses and means, plain loops.
#include <algorithm>

#include "base/threads.h"
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {

using namespace detail;

Tensor weighted_sum(const std::vector<Tensor>& scalars, const std::vector<float>& factors) {
  require(!scalars.empty() && scalars.size() == factors.size(), ErrorKind::shape,
          "weighted_sum: {} scalars but {} factors", scalars.size(), factors.size());
  double sum = 0;
  for (size_t i = 0; i < scalars.size(); ++i) {
    require_shape(scalars[i], {1}, "weighted_sum", "every scalar");
    require_dtype(scalars[i], DType::f32, "weighted_sum", "every scalar");
    sum += static_cast<double>(scalars[i].item()) * factors[i];
  }
  return record("weighted_sum", Tensor::full({1}, static_cast<float>(sum)), scalars, [factors](const Tensor& dy) {
    std::vector<Tensor> grads;
    for (const float factor : factors) grads.push_back(Tensor::full({1}, dy.item() * factor));
    return grads;
  });
}

Tensor mean(const Tensor& x) {
  require_activation(x, "mean", "x");
  require_cpu(x, "mean");
  require(x.elements() > 0, ErrorKind::shape, "mean: x has no elements");
  constexpr int64_t kBlock = 16384;  // fixes the order of the additions
  const int64_t count = x.elements(), blocks = (count + kBlock - 1) / kBlock;
  std::vector<double> sums(static_cast<size_t>(blocks));
  with_type(x.dtype(), [&](auto type) {
    using T = decltype(type);
    const T* values = x.data<T>();
    parallel_for(blocks, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t block = begin; block < end; ++block) {
        double sum = 0;
        for (int64_t i = block * kBlock; i < std::min(count, (block + 1) * kBlock); ++i)
          sum += static_cast<float>(values[i]);
        sums[static_cast<size_t>(block)] = sum;
      }
    });
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  const auto result = static_cast<float>(total / static_cast<double>(count));
  return record("mean", Tensor::full({1}, result), {x},
                [shape = x.shape(), dtype = x.dtype(), count](const Tensor& dy) {
                  return std::vector<Tensor>{Tensor::full(shape, dy.item() / static_cast<float>(count), dtype)};
                });
}

}  // namespace sensorium::ops
