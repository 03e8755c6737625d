// Legend: T rows, K input features, N output features.
#include "ops/common.h"
#include "ops/packed_weight.h"

namespace sensorium::ops {

using namespace detail;
using kernels::KernelTable;

PackedWeight pack_weight(const Tensor& w_NK, kernels::PackedLayout type) {
  require_rank(w_NK, 2, "pack_weight", "the weight");
  require_cpu(w_NK, "pack_weight");
  type.n = w_NK.dim(0);
  type.k = w_NK.dim(1);
  kernels::check_layout(type);
  PackedWeight packed{type, Tensor::empty({type.bytes()}, DType::u8)};
  kernels::pack_weight(view(w_NK), type.k, type, static_cast<std::byte*>(packed.bytes.raw()));
  return packed;
}

PackedWeight pack_integers(const kernels::ReadIntegers& read, const kernels::PackedLayout& layout) {
  kernels::check_layout(layout);
  PackedWeight packed{layout, Tensor::empty({layout.bytes()}, DType::u8)};
  kernels::pack_integers(read, layout, static_cast<std::byte*>(packed.bytes.raw()));
  return packed;
}

PackedWeight view_packed(const Tensor& bytes, const kernels::PackedLayout& layout) {
  kernels::check_layout(layout);
  require(bytes.dtype() == DType::u8 && bytes.elements() == layout.bytes(), ErrorKind::invalid_data,
          "{} {} for a matrix [{}, {}] packed as {}, expected {} bytes", bytes.elements(), name_of(bytes.dtype()),
          layout.n, layout.k, kernels::name_of(layout), layout.bytes());
  return {layout, bytes};
}

Tensor packed_linear(const Tensor& x_TK, const PackedWeight& w, const Tensor& bias_N, DType dtype) {
  require_activation(x_TK, "packed_linear", "x");
  require_rank(x_TK, 2, "packed_linear", "x");
  require(w.defined() && x_TK.dim(1) == w.layout.k, ErrorKind::shape, "packed_linear: x {} does not fit weight {}",
          x_TK.shape(), w.defined() ? w.shape().str() : "undefined");
  require(dtype == DType::f32 || dtype == DType::bf16, ErrorKind::shape, "packed_linear: no results in {}",
          name_of(dtype));
  const int64_t rows = x_TK.dim(0), out = w.layout.n;
  if (bias_N.defined()) require_shape(bias_N, {out}, "packed_linear", "the bias");
  const Tensor y_TN = Tensor::empty({rows, out}, dtype, x_TK.device());
  const Tensor bias = as_f32(bias_N);
  launch(&KernelTable::packed_linear, x_TK, "packed_linear",
         {.m = rows,
          .x = view(x_TK),
          .x_stride = x_TK.dim(1),
          .w = w.view(),
          .bias = f32_data(bias),
          .y = view(y_TN),
          .y_stride = out});
  if (!will_record({x_TK, bias_N})) return y_TN;

  return record("packed_linear", y_TN, {x_TK, bias_N}, [=](const Tensor& dy_TN) {
    std::vector<Tensor> grads(2);
    if (x_TK.requires_grad()) {
      // The weights' values for a moment: no second kernel that walks the layout the other way.
      const Tensor w_NK = unpack(w, x_TK.dtype());
      grads[0] = Tensor::empty(x_TK.shape(), x_TK.dtype(), x_TK.device());
      if (rows != 0) {
        launch(&KernelTable::gemm, x_TK, "packed_linear",
               {.m = rows,
                .n = w.layout.k,
                .k = out,
                .a = {dy_TN.raw(), dy_TN.dtype(), out, 1},
                .b = {w_NK.raw(), w_NK.dtype(), w.layout.k, 1},
                .c = grads[0].raw(),
                .c_dtype = grads[0].dtype(),
                .ldc = w.layout.k,
                .compute = x_TK.dtype()});
      }
    }
    if (bias_N.requires_grad()) {
      const GradTarget target(bias_N);
      launch(&KernelTable::column_sum, x_TK, "packed_linear",
             {.rows = rows, .cols = out, .x = view(dy_TN), .out = target.data()});
      grads[1] = target.result();
    }
    return grads;
  });
}

Tensor packed_rows(const PackedWeight& w, const Tensor& index_T, DType dtype) {
  require_rank(index_T, 1, "packed_rows", "the index");
  const int64_t count = index_T.dim(0);
  const int32_t* index = index_T.data<int32_t>();
  for (int64_t i = 0; i < count; ++i) {
    require(index[i] >= -1 && index[i] < w.layout.n, ErrorKind::shape, "packed_rows: index {} into {} rows", index[i],
            w.layout.n);
  }
  const Tensor out = Tensor::empty({count, w.layout.k}, dtype);
  launch(&KernelTable::unpack_rows, out, "packed_rows",
         {.w = w.view(), .rows = index, .count = count, .out = view(out)});
  return out;
}

Tensor unpack(const PackedWeight& w, DType dtype) {
  const Tensor out = Tensor::empty(w.shape(), dtype);
  launch(&KernelTable::unpack_rows, out, "unpack", {.w = w.view(), .count = w.layout.n, .out = view(out)});
  return out;
}

}  // namespace sensorium::ops
