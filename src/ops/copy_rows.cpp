// concat_rows, concat_columns and slice_columns: plain copies. Legend: T rows, C columns.
#include <algorithm>
#include <cstring>

#include "base/threads.h"
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {

using namespace detail;

Tensor concat_rows(const std::vector<Tensor>& parts) {
  require(!parts.empty(), ErrorKind::shape, "concat_rows: nothing to join");
  int64_t rows = 0;
  for (const Tensor& part : parts) {
    require(part.defined() && part.rank() >= 1 && part.rank() == parts[0].rank() && part.dtype() == parts[0].dtype(),
            ErrorKind::shape, "concat_rows: parts differ in rank or dtype");
    require(std::equal(part.shape().dims().begin() + 1, part.shape().dims().end(), parts[0].shape().dims().begin() + 1),
            ErrorKind::shape, "concat_rows: {} and {} differ in more than the number of rows", parts[0].shape(),
            part.shape());
    require_cpu(part, "concat_rows");
    rows += part.dim(0);
  }
  if (parts.size() == 1) return parts[0];
  std::vector<int64_t> dims(parts[0].shape().dims().begin(), parts[0].shape().dims().end());
  dims[0] = rows;
  const Tensor y = Tensor::empty(Shape(dims), parts[0].dtype());
  auto* to = static_cast<std::byte*>(y.raw());
  for (const Tensor& part : parts) {
    if (part.bytes() != 0) std::memcpy(to, part.raw(), part.bytes());
    to += part.bytes();
  }
  std::vector<int64_t> counts;
  for (const Tensor& part : parts) counts.push_back(part.dim(0));
  return record("concat_rows", y, parts, [counts](const Tensor& dy) {
    std::vector<Tensor> grads;
    int64_t begin = 0;
    for (const int64_t count : counts) {
      grads.push_back(dy.slice(begin, begin + count));
      begin += count;
    }
    return grads;
  });
}

Tensor concat_columns(const std::vector<Tensor>& parts) {
  require(!parts.empty(), ErrorKind::shape, "concat_columns: nothing to join");
  int64_t columns = 0;
  for (const Tensor& part : parts) {
    require_rank(part, 2, "concat_columns", "a part");
    require(part.dim(0) == parts[0].dim(0) && part.dtype() == parts[0].dtype(), ErrorKind::shape,
            "concat_columns: parts {} {} and {} {} differ in rows or dtype", name_of(parts[0].dtype()),
            parts[0].shape(), name_of(part.dtype()), part.shape());
    require_cpu(part, "concat_columns");
    columns += part.dim(1);
  }
  if (parts.size() == 1) return parts[0];
  const int64_t rows = parts[0].dim(0);
  const Tensor y = Tensor::empty({rows, columns}, parts[0].dtype());
  const size_t stride = static_cast<size_t>(columns) * size_of(y.dtype());
  size_t begin = 0;
  for (const Tensor& part : parts) {
    const size_t width = static_cast<size_t>(part.dim(1)) * size_of(y.dtype());
    for (size_t row = 0; width != 0 && row < static_cast<size_t>(rows); ++row) {
      std::memcpy(static_cast<std::byte*>(y.raw()) + row * stride + begin,
                  static_cast<const std::byte*>(part.raw()) + row * width, width);
    }
    begin += width;
  }
  std::vector<int64_t> widths;
  for (const Tensor& part : parts) widths.push_back(part.dim(1));
  return record("concat_columns", y, parts, [widths](const Tensor& dy) {
    std::vector<Tensor> grads;
    int64_t first = 0;
    for (const int64_t width : widths) {
      grads.push_back(slice_columns(dy, first, first + width));
      first += width;
    }
    return grads;
  });
}

Tensor slice_columns(const Tensor& x_TC, int64_t begin, int64_t end) {
  require_rank(x_TC, 2, "slice_columns", "x");
  require_cpu(x_TC, "slice_columns");
  require(begin >= 0 && begin <= end && end <= x_TC.dim(1), ErrorKind::shape, "slice_columns: [{}, {}) of {}", begin,
          end, x_TC.shape());
  const Tensor y = Tensor::empty({x_TC.dim(0), end - begin}, x_TC.dtype());
  const size_t element = size_of(x_TC.dtype());
  const size_t wide = static_cast<size_t>(x_TC.dim(1)) * element, narrow = static_cast<size_t>(end - begin) * element;
  const size_t skip = static_cast<size_t>(begin) * element;
  if (narrow != 0) {
    parallel_for(x_TC.dim(0), 256, [&](int64_t first, int64_t last, int) {
      for (auto row = static_cast<size_t>(first); row < static_cast<size_t>(last); ++row) {
        std::memcpy(static_cast<std::byte*>(y.raw()) + row * narrow,
                    static_cast<const std::byte*>(x_TC.raw()) + row * wide + skip, narrow);
      }
    });
  }
  return record("slice_columns", y, {x_TC}, [shape = x_TC.shape(), wide, narrow, skip](const Tensor& dy) {
    const Tensor dx = Tensor::empty(shape, dy.dtype());
    parallel_for(shape[0], 256, [&](int64_t first, int64_t last, int) {
      for (auto row = static_cast<size_t>(first); row < static_cast<size_t>(last); ++row) {
        std::byte* to = static_cast<std::byte*>(dx.raw()) + row * wide;
        std::memset(to, 0, skip);
        if (narrow != 0) std::memcpy(to + skip, static_cast<const std::byte*>(dy.raw()) + row * narrow, narrow);
        std::memset(to + skip + narrow, 0, wide - skip - narrow);
      }
    });
    return std::vector<Tensor>{dx};
  });
}

}  // namespace sensorium::ops
