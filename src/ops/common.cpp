#include "ops/common.h"

namespace sensorium::ops::detail {

Tensor converted(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  const Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  launch(&kernels::KernelTable::cast, x, "cast", {.count = x.elements(), .x = view(x), .y = view(y)});
  return y;
}

Tensor scaled(const Tensor& x, float factor) {
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  // Two halves of x: a sum with 0 * x would turn infinities into NaN.
  launch(&kernels::KernelTable::binary, x, "scale",
         {.function = kernels::Binary::add,
          .count = x.elements(),
          .a = view(x),
          .b = view(x),
          .scale_a = factor * 0.5f,
          .scale_b = factor * 0.5f,
          .y = view(y)});
  return y;
}

Tensor weight_grad(const void* dy, DType dy_dtype, int64_t dy_stride, const Tensor& x, Tensor w, DType compute) {
  const int64_t rows = x.dim(0), in = w.dim(1), out = w.dim(0);
  // A leaf's first gradient is written, not added to zeros.
  const bool leaf = is_leaf(w), add = leaf && w.grad().defined();
  const Tensor dw = add    ? w.grad()
                    : rows ? Tensor::empty(w.shape(), leaf ? DType::f32 : w.dtype(), w.device())
                           : Tensor::zeros(w.shape(), leaf ? DType::f32 : w.dtype(), w.device());
  if (rows != 0) {
    launch(&kernels::KernelTable::gemm, x, "linear",
           {.m = out,
            .n = in,
            .k = rows,
            .a = {dy, dy_dtype, 1, dy_stride},
            .b = {x.raw(), x.dtype(), in, 1},
            .c = dw.raw(),
            .c_dtype = dw.dtype(),
            .ldc = in,
            .accumulate = add,
            .compute = compute});
  }
  if (!leaf) return dw;
  if (!add) w.set_grad(dw);
  return {};
}

void require_pictures(const Tensor& x, const Pictures& pictures, const char* op) {
  require_activation(x, op, "x");
  require_rank(x, 2, op, "x");
  require(pictures.heights.size() == pictures.widths.size(), ErrorKind::shape, "{}: {} heights but {} widths", op,
          pictures.heights.size(), pictures.widths.size());
  for (size_t i = 0; i < pictures.count(); ++i) {
    require(pictures.heights[i] > 0 && pictures.widths[i] > 0, ErrorKind::shape, "{}: picture {} is {} x {}", op, i,
            pictures.heights[i], pictures.widths[i]);
  }
  require(x.dim(0) == pictures.positions(), ErrorKind::shape, "{}: x {} does not hold the {} positions of {} pictures",
          op, x.shape(), pictures.positions(), pictures.count());
}

GradTarget::GradTarget(const Tensor& input) : input_(input) {
  if (!input.requires_grad()) return;
  leaf_ = is_leaf(input);
  sum_ = leaf_ ? grad_buffer(input) : Tensor::zeros(input.shape(), DType::f32, input.device());
}

float* GradTarget::data_or_scratch() {
  if (sum_.defined() || !input_.defined()) return data();
  scratch_ = Tensor::zeros(input_.shape(), DType::f32, input_.device());
  return scratch_.data<float>();
}

Tensor GradTarget::result() const { return leaf_ || !sum_.defined() ? Tensor() : converted(sum_, input_.dtype()); }

}  // namespace sensorium::ops::detail
