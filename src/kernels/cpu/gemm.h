// The matrix products of one instruction set, behind the functions of kernels/gemm.h.
#pragma once

#include "kernels/gemm.h"
#include "kernels/isa.h"
#include "tensor/tensor.h"

namespace sensorium::kernels::cpu {

struct GemmBackend {
  void (*gemm)(const GemmArgs&);
  // Float data for products in f32, bf16 or i8 (packed.compute); k, n and compute are set, the rest is filled.
  void (*pack)(const GemmOperand& b, PackedMatrix& packed);
  void (*pack_bytes)(const GemmOperand& b, PackedMatrix& packed);  // i8 data
  void (*gemm_packed)(const GemmArgs&, const PackedMatrix&);
  void (*gemm_u8i8i32)(int64_t m, const uint8_t* a, int64_t lda, const PackedMatrix& b, int32_t* c, int64_t ldc);
};
// Of a supported set; throws Error(unsupported).
const GemmBackend& gemm_backend_of(Isa isa);

}  // namespace sensorium::kernels::cpu

namespace sensorium::kernels {

struct PackedMatrix::Impl {
  int64_t k = 0, n = 0;
  DType compute = DType::f32;                 // f32, bf16 or i8
  const cpu::GemmBackend* backend = nullptr;  // whose layout it is
  Tensor panels;                              // bytes, 64-byte aligned
  Tensor scales;                              // f32 [n]: int8 from floats
  Tensor column_sums;  // i32 [n]: int8 from floats, to take back the offset of unsigned activations
};

}  // namespace sensorium::kernels
