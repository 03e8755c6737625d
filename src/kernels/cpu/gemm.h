// The matrix products of one instruction set, behind the functions of kernels/gemm.h.
#pragma once

#include "kernels/gemm.h"
#include "tensor/tensor.h"

namespace sensorium::kernels::cpu {

struct GemmBackend {
  void (*gemm)(const GemmArgs&);
  void (*gemm_packed)(const GemmArgs&, const PackedMatrix&);
  void (*pack)(const GemmOperand& b, PackedMatrix& packed);  // into packed.impl().panels
  void (*gemm_u8i8i32)(int64_t m, const uint8_t* a, int64_t lda, const PackedMatrix& b, int32_t* c, int64_t ldc);
};

// Columns of a panel: what the micro-kernels work on at once.
constexpr int64_t kPanelColumns = 64;
constexpr int64_t panel_count(int64_t n) { return (n + kPanelColumns - 1) / kPanelColumns; }
// Consecutive k values that stand together in a panel: pairs for bf16, quadruples for int8.
constexpr int64_t k_group(DType compute) { return compute == DType::f32 ? 1 : compute == DType::bf16 ? 2 : 4; }
constexpr int64_t padded_k(int64_t k, DType compute) { return (k + k_group(compute) - 1) / k_group(compute) * k_group(compute); }

}  // namespace sensorium::kernels::cpu

namespace sensorium::kernels {

// Panels one after another: [panel][k / group][kPanelColumns][group], zero-padded.
struct PackedMatrix::Impl {
  int64_t k = 0, n = 0;
  DType compute = DType::f32;  // f32, bf16 or i8
  Tensor panels;               // bytes, 64-byte aligned
  Tensor scales;               // f32 [n]: int8 from floats
  Tensor column_sums;          // i32 [n]: int8, to take back the offset of unsigned activations
};

}  // namespace sensorium::kernels
