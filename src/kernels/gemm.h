// Matrix products, the work that most time goes to. All matrices are given by base pointer and strides in elements;
// one of the two strides of each operand is 1 (row-major or transposed), the other may exceed the width.
//
// Sums are f32, in a fixed order of k: the result does not depend on the number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "tensor/dtype.h"

namespace sensorium::kernels {

struct GemmOperand {
  const void* data = nullptr;
  DType dtype = DType::f32;  // f32, bf16 or f16
  int64_t row_stride = 0;    // elements
  int64_t col_stride = 1;
};

// c_MN = (accumulate ? c_MN : 0) + a_MK * b_KN + bias_N
struct GemmArgs {
  int64_t m = 0, n = 0, k = 0;
  GemmOperand a;               // M x K
  GemmOperand b;               // K x N; a weight w_NK of a linear layer is {w, dtype, 1, K}
  void* c = nullptr;           // M x N, row-major with row stride ldc
  DType c_dtype = DType::f32;  // f32 or bf16
  int64_t ldc = 0;
  const float* bias = nullptr;  // N, or none
  bool accumulate = false;      // add to what c holds
  DType compute = DType::f32;   // f32: exact products; bf16: operands are rounded to bf16 first
};
void gemm(const GemmArgs& args);

// A constant right-hand side in the layout of the machine's micro-kernel (made once per weight, used many times).
// `quantized` packs hold int8 with one f32 scale per column.
class PackedMatrix {
 public:
  PackedMatrix();
  ~PackedMatrix();
  PackedMatrix(PackedMatrix&&) noexcept;
  PackedMatrix& operator=(PackedMatrix&&) noexcept;

  int64_t k() const;
  int64_t n() const;
  size_t bytes() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// compute: f32 or bf16 (from f32, bf16 or f16 data), or i8 (symmetric, one scale per column, from float data).
PackedMatrix pack_rhs(const GemmOperand& b, int64_t k, int64_t n, DType compute);
// As gemm, with args.b and args.compute taken from the pack. An int8 pack quantises the rows of `a` on the fly to 8 bits
// (one scale per row) and gives f32 or bf16.
void gemm_packed(const GemmArgs& args, const PackedMatrix& b);

// Integer product c_MN(i32) = a_MK(u8) * b_KN(i8) + nothing else; b packed by pack_rhs_i8. For bench and quantised towers.
PackedMatrix pack_rhs_i8(const int8_t* b, int64_t row_stride, int64_t col_stride, int64_t k, int64_t n);
void gemm_u8i8i32(int64_t m, const uint8_t* a, int64_t lda, const PackedMatrix& b, int32_t* c, int64_t ldc);

}  // namespace sensorium::kernels
