// Legend: T rows, K input features, N output features, G groups along K.
#include <algorithm>
#include <optional>

#include "base/threads.h"
#include "ops/common.h"
#include "ops/packed_weight.h"

namespace sensorium::ops {

using namespace detail;
using kernels::KernelTable;

namespace {

Tensor multiply(const Tensor& x_TK, const PackedWeight& w, const Tensor& bias_N, DType dtype,
                std::optional<kernels::Unary> activation = {}) {
  const Tensor y_TN = Tensor::empty({x_TK.dim(0), w.layout.n}, dtype, x_TK.device());
  launch(&KernelTable::packed_linear, x_TK, "packed_linear",
         {.m = x_TK.dim(0),
          .x = view(x_TK),
          .x_stride = x_TK.dim(1),
          .w = w.view(),
          .bias = f32_data(bias_N),
          .activation = activation,
          .y = view(y_TN),
          .y_stride = w.layout.n});
  return y_TN;
}

PackedWeight offsets_of(const PackedWeight& w) {
  return {offset_layout(w.layout), w.bytes.slice(w.layout.bytes(), w.bytes.elements())};
}

// The sums of each row over the groups of a weight, f32 [T, G].
template <typename T>
Tensor group_sums(const Tensor& x_TK, const kernels::PackedLayout& layout) {
  const int64_t groups = layout.groups();
  const Tensor sums_TG = Tensor::empty({x_TK.dim(0), groups});
  const T* x = x_TK.data<T>();
  float* out = sums_TG.data<float>();
  parallel_for(x_TK.dim(0), 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      for (int64_t g = 0; g < groups; ++g) {
        const int64_t last = std::min((g + 1) * layout.group, layout.k);
        float sum = 0;
        for (int64_t i = g * layout.group; i < last; ++i) sum += static_cast<float>(x[t * layout.k + i]);
        out[t * groups + g] = sum;
      }
    }
  });
  return sums_TG;
}

// What the offsets of the groups add to the product, [T, N].
Tensor offset_product(const Tensor& x_TK, const PackedWeight& w, const Tensor& bias_N, DType dtype) {
  require_cpu(x_TK, "packed_linear");
  const Tensor sums_TG =
      x_TK.dtype() == DType::f32 ? group_sums<float>(x_TK, w.layout) : group_sums<bf16>(x_TK, w.layout);
  return multiply(sums_TG, offsets_of(w), bias_N, dtype);
}

// Adds to each value of `rows` ([count, K] of w) the offset of its group.
template <typename T>
void add_offsets(const Tensor& rows, const Tensor& offsets, const kernels::PackedLayout& layout) {
  const int64_t groups = layout.groups();
  T* values = rows.data<T>();
  const float* offset = offsets.data<float>();
  parallel_for(rows.dim(0), 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t k = 0; k < layout.k; ++k) {
        T& value = values[i * layout.k + k];
        value = T(static_cast<float>(value) + offset[i * groups + k / layout.group]);
      }
    }
  });
}

// Rows `index` of w (nullptr: the first ones), [count, K].
Tensor read_rows(const PackedWeight& w, const int32_t* index, int64_t count, DType dtype, const char* op) {
  const Tensor out = Tensor::empty({count, w.layout.k}, dtype);
  launch(&KernelTable::unpack_rows, out, op, {.w = w.view(), .rows = index, .count = count, .out = view(out)});
  if (!has_offsets(w)) return out;
  const Tensor offsets = read_rows(offsets_of(w), index, count, DType::f32, op);
  if (dtype == DType::f32) {
    add_offsets<float>(out, offsets, w.layout);
  } else {
    add_offsets<bf16>(out, offsets, w.layout);
  }
  return out;
}

}  // namespace

std::string name_of(const PackedWeight& w) { return kernels::name_of(w.layout) + (has_offsets(w) ? " + offsets" : ""); }

kernels::PackedLayout offset_layout(const kernels::PackedLayout& layout) {
  return {.type = kernels::PackedType::q8, .n = layout.n, .k = layout.groups(), .group = 32};
}

bool has_offsets(const PackedWeight& w) { return w.bytes.elements() > w.layout.bytes(); }

PackedWeight with_offsets(const PackedWeight& w, const Tensor& offsets_NG) {
  const kernels::PackedLayout layout = offset_layout(w.layout);
  require(w.layout.group != 0 && !has_offsets(w), ErrorKind::shape,
          "with_offsets: the weight has no groups, or offsets");
  require_shape(offsets_NG, {layout.n, layout.k}, "with_offsets", "the offsets");
  const PackedWeight packed{w.layout, Tensor::empty({w.layout.bytes() + layout.bytes()}, DType::u8)};
  packed.bytes.slice(0, w.layout.bytes()).copy_from(w.bytes);
  kernels::pack_weight(view(offsets_NG), layout.k, layout,
                       static_cast<std::byte*>(packed.bytes.raw()) + w.layout.bytes());
  return packed;
}

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

Tensor packed_linear(const Tensor& x_TK, const PackedWeight& w, const Tensor& bias_N, DType dtype,
                     std::optional<kernels::Unary> activation) {
  require_activation(x_TK, "packed_linear", "x");
  require_rank(x_TK, 2, "packed_linear", "x");
  require(w.defined() && x_TK.dim(1) == w.layout.k, ErrorKind::shape, "packed_linear: x {} does not fit weight {}",
          x_TK.shape(), w.defined() ? w.shape().str() : "undefined");
  require(dtype == DType::f32 || dtype == DType::bf16, ErrorKind::shape, "packed_linear: no results in {}",
          name_of(dtype));
  const int64_t rows = x_TK.dim(0), out = w.layout.n;
  if (bias_N.defined()) require_shape(bias_N, {out}, "packed_linear", "the bias");
  if (activation && (will_record({x_TK, bias_N}) || (has_offsets(w) && rows > 1))) {
    return unary(*activation, packed_linear(x_TK, w, bias_N, dtype));
  }
  Tensor y_TN, bias = as_f32(bias_N);
  if (!has_offsets(w)) {
    y_TN = multiply(x_TK, w, bias, dtype, activation);
  } else if (rows == 1) {
    y_TN = multiply(x_TK, w, offset_product(x_TK, w, bias, DType::f32).reshape({out}), dtype, activation);
  } else {
    const NoGrad no_grad;
    y_TN = add(multiply(x_TK, w, bias, dtype), offset_product(x_TK, w, {}, dtype));
  }
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
  return read_rows(w, index, count, dtype, "packed_rows");
}

Tensor unpack(const PackedWeight& w, DType dtype) { return read_rows(w, nullptr, w.layout.n, dtype, "unpack"); }

}  // namespace sensorium::ops
