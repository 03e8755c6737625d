// Rows to unit length, plain loops: y = x / max(|x|, eps). Legend: T rows, C channels.
#include <algorithm>
#include <cmath>

#include "base/threads.h"
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {

using namespace detail;

Tensor l2_normalize(const Tensor& x_TC, float eps) {
  require_activation(x_TC, "l2_normalize", "x");
  require_rank(x_TC, 2, "l2_normalize", "x");
  require_cpu(x_TC, "l2_normalize");
  const int64_t rows = x_TC.dim(0), cols = x_TC.dim(1);
  const Tensor y_TC = Tensor::empty(x_TC.shape(), x_TC.dtype());
  const Tensor lengths = Tensor::empty({rows}, DType::f32);
  float* length = lengths.data<float>();
  with_type(x_TC.dtype(), [&](auto type) {
    using T = decltype(type);
    parallel_for(rows, 64, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const T* x = x_TC.data<T>() + r * cols;
        T* y = y_TC.data<T>() + r * cols;
        double sum = 0;
        for (int64_t c = 0; c < cols; ++c)
          sum += static_cast<double>(static_cast<float>(x[c])) * static_cast<float>(x[c]);
        length[r] = static_cast<float>(std::sqrt(sum));
        const float factor = 1.0f / std::max(length[r], eps);
        for (int64_t c = 0; c < cols; ++c) y[c] = T(static_cast<float>(x[c]) * factor);
      }
    });
  });
  return record("l2_normalize", y_TC, {x_TC}, [x_TC, lengths, rows, cols, eps](const Tensor& dy_TC) {
    const Tensor dx_TC = Tensor::empty(x_TC.shape(), x_TC.dtype());
    with_type(x_TC.dtype(), [&](auto type) {
      using T = decltype(type);
      parallel_for(rows, 64, [&](int64_t begin, int64_t end, int) {
        for (int64_t r = begin; r < end; ++r) {
          const T *x = x_TC.data<T>() + r * cols, *dy = dy_TC.data<T>() + r * cols;
          T* dx = dx_TC.data<T>() + r * cols;
          const float norm = lengths.data<float>()[r], factor = 1.0f / std::max(norm, eps);
          // dx = (dy - y (y . dy)) / |x|; a row shorter than eps is only scaled.
          double dot = 0;
          if (norm > eps) {
            for (int64_t c = 0; c < cols; ++c)
              dot += static_cast<double>(static_cast<float>(x[c])) * static_cast<float>(dy[c]);
          }
          const auto slope = static_cast<float>(dot) * factor * factor;
          for (int64_t c = 0; c < cols; ++c)
            dx[c] = T((static_cast<float>(dy[c]) - static_cast<float>(x[c]) * slope) * factor);
        }
      });
    });
    return std::vector<Tensor>{dx_TC};
  });
}

}  // namespace sensorium::ops
