// The kernels of one instruction set: declared here, defined in the files of this folder, collected in table.cpp.
#pragma once

#include "kernels/cpu/isa.h"

SENSORIUM_ISA_BEGIN

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

SENSORIUM_ISA_END
