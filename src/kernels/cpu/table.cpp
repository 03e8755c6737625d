#include "kernels/cpu/cpu.h"

SENSORIUM_ISA_BEGIN

extern const KernelTable kernel_table;
constexpr KernelTable kernel_table = {
    .device = "cpu",
    .gemm = gemm,
    .packed_linear = packed_linear,
    .unpack_rows = unpack_rows,
    .attention = attention,
    .attention_backward = attention_backward,
    .store_kv_rows = store_kv_rows,
    .conv2d = conv2d,
    .conv2d_backward_input = conv2d_backward_input,
    .conv2d_backward_weight = conv2d_backward_weight,
    .rms_norm = rms_norm,
    .rms_norm_backward = rms_norm_backward,
    .layer_norm = layer_norm,
    .layer_norm_backward = layer_norm_backward,
    .group_norm = group_norm,
    .group_norm_backward = group_norm_backward,
    .unary = unary,
    .unary_backward = unary_backward,
    .binary = binary,
    .swiglu = swiglu,
    .swiglu_backward = swiglu_backward,
    .cast = cast,
    .rope = rope,
    .head_norm_rope = head_norm_rope,
    .head_norm_rope_backward = head_norm_rope_backward,
    .gather_rows = gather_rows,
    .scatter_add_rows = scatter_add_rows,
    .segment_mean = segment_mean,
    .column_sum = column_sum,
    .cross_entropy = cross_entropy,
    .linear_cross_entropy = linear_cross_entropy,
    .adamw = adamw,
    .sum_of_squares = sum_of_squares,
};

SENSORIUM_ISA_END
