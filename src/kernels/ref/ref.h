// Plain-loop kernels with f64 sums: the oracle of tests, and the fallback of every device on the CPU. See the headers of
// kernels/ for what each computes.
#pragma once

#include "kernels/table.h"

namespace sensorium::kernels::ref {

void gemm(const GemmArgs& args);
void packed_linear(const PackedLinearArgs& args);
void unpack_rows(const UnpackRowsArgs& args);
void attention(const AttentionArgs& args);
void attention_backward(const AttentionBackwardArgs& args);
void store_kv_rows(const StoreKvRowsArgs& args);
void conv2d(const Conv2dArgs& args);
void conv2d_backward_input(const Conv2dArgs& args);
void conv2d_backward_weight(const Conv2dArgs& args);
void rms_norm(const RowNormArgs& args);
void rms_norm_backward(const RowNormBackwardArgs& args);
void layer_norm(const RowNormArgs& args);
void layer_norm_backward(const RowNormBackwardArgs& args);
void group_norm(const GroupNormArgs& args);
void group_norm_backward(const GroupNormBackwardArgs& args);
double unary_value(Unary function, double x);
void unary(const UnaryArgs& args);
void unary_backward(const UnaryBackwardArgs& args);
void binary(const BinaryArgs& args);
void swiglu(const SwigluArgs& args);
void swiglu_backward(const SwigluBackwardArgs& args);
void cast(const CastArgs& args);
void rope(const RopeArgs& args);
void head_norm_rope(const HeadNormRopeArgs& args);
void head_norm_rope_backward(const HeadNormRopeBackwardArgs& args);
void gather_rows(const GatherRowsArgs& args);
void scatter_add_rows(const GatherRowsArgs& args);
void segment_mean(const SegmentMeanArgs& args);
void column_sum(const ColumnSumArgs& args);
void cross_entropy(const CrossEntropyArgs& args);
void linear_cross_entropy(const LinearCrossEntropyArgs& args);
void adamw(const AdamWArgs& args);
double sum_of_squares(const float* values, int64_t count);

// Element i of a view, in f64. f32, bf16 or f16.
inline double get(ConstView view, int64_t i) {
  switch (view.dtype) {
    case DType::f32:
      return static_cast<const float*>(view.data)[i];
    case DType::bf16:
      return static_cast<double>(static_cast<float>(static_cast<const bf16*>(view.data)[i]));
    case DType::f16:
      return static_cast<double>(static_cast<float>(static_cast<const f16*>(view.data)[i]));
    default:
      fail(ErrorKind::unsupported, "a kernel got {} elements where it takes floats", name_of(view.dtype));
  }
}

inline void set(View view, int64_t i, double value) {
  switch (view.dtype) {
    case DType::f32:
      static_cast<float*>(view.data)[i] = static_cast<float>(value);
      return;
    case DType::bf16:
      static_cast<bf16*>(view.data)[i] = bf16(static_cast<float>(value));
      return;
    case DType::f16:
      static_cast<f16*>(view.data)[i] = f16(static_cast<float>(value));
      return;
    default:
      fail(ErrorKind::unsupported, "a kernel got {} elements where it takes floats", name_of(view.dtype));
  }
}

}  // namespace sensorium::kernels::ref
