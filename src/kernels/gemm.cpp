// The functions of gemm.h: they pick the machine's backend and do what is the same for all.
#include "kernels/gemm.h"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/gemm.h"
#include "kernels/isa.h"

namespace sensorium::kernels {

namespace cpu::portable {
extern const GemmBackend gemm_backend;
}
#if defined(SENSORIUM_HAVE_avx2)
namespace cpu::avx2 {
extern const GemmBackend gemm_backend;
}
namespace cpu::avx512 {
extern const GemmBackend gemm_backend;
}
namespace cpu::avx512_bf16 {
extern const GemmBackend gemm_backend;
}
#endif

namespace {

const cpu::GemmBackend& backend() {
#if defined(SENSORIUM_HAVE_avx2)
  switch (active_isa()) {
    case Isa::avx512_bf16:
      return cpu::avx512_bf16::gemm_backend;
    case Isa::avx512:
      return cpu::avx512::gemm_backend;
    case Isa::avx2:
      return cpu::avx2::gemm_backend;
    case Isa::portable:
      break;
  }
#endif
  return cpu::portable::gemm_backend;
}

void check_sizes(int64_t k, int64_t n) {
  require(k >= 0 && n >= 0, ErrorKind::shape, "a matrix of {} x {} cannot be packed", k, n);
}

// Signed bytes to panels [panel][k / 4][64][4], with the sum of every column.
void pack_bytes(const int8_t* b, int64_t row_stride, int64_t col_stride, PackedMatrix::Impl& packed) {
  const int64_t padded = cpu::padded_k(packed.k, DType::i8);
  packed.panels = Tensor::zeros({cpu::panel_count(packed.n) * padded * cpu::kPanelColumns}, DType::i8);
  packed.column_sums = Tensor::zeros({packed.n}, DType::i32);
  int8_t* panels = packed.panels.data<int8_t>();
  int32_t* sums = packed.column_sums.data<int32_t>();
  for (int64_t n = 0; n < packed.n; ++n) {
    int8_t* panel = panels + n / cpu::kPanelColumns * padded * cpu::kPanelColumns;
    for (int64_t k = 0; k < packed.k; ++k) {
      const int8_t value = b[k * row_stride + n * col_stride];
      panel[(k / 4 * cpu::kPanelColumns + n % cpu::kPanelColumns) * 4 + k % 4] = value;
      sums[n] += value;
    }
  }
}

}  // namespace

PackedMatrix::PackedMatrix() : impl_(std::make_unique<Impl>()) {}
PackedMatrix::~PackedMatrix() = default;
PackedMatrix::PackedMatrix(PackedMatrix&&) noexcept = default;
PackedMatrix& PackedMatrix::operator=(PackedMatrix&&) noexcept = default;
int64_t PackedMatrix::k() const { return impl_->k; }
int64_t PackedMatrix::n() const { return impl_->n; }
size_t PackedMatrix::bytes() const { return impl_->panels.defined() ? impl_->panels.bytes() : 0; }

void gemm(const GemmArgs& args) { backend().gemm(args); }

PackedMatrix pack_rhs(const GemmOperand& b, int64_t k, int64_t n, DType compute) {
  check_sizes(k, n);
  require(is_float(b.dtype), ErrorKind::shape, "pack_rhs: the matrix is {}, expected f32, bf16 or f16", name_of(b.dtype));
  PackedMatrix matrix;
  PackedMatrix::Impl& packed = matrix.impl();
  packed.k = k;
  packed.n = n;
  packed.compute = compute;
  if (compute == DType::i8) {
    Tensor bytes = Tensor::zeros({n, k}, DType::i8);
    packed.scales = Tensor::zeros({n});
    const auto value = [&](int64_t row, int64_t column) {
      const int64_t i = row * b.row_stride + column * b.col_stride;
      return b.dtype == DType::f32    ? static_cast<const float*>(b.data)[i]
             : b.dtype == DType::bf16 ? static_cast<float>(static_cast<const bf16*>(b.data)[i])
                                      : static_cast<float>(static_cast<const f16*>(b.data)[i]);
    };
    for (int64_t column = 0; column < n; ++column) {
      float most = 0;
      for (int64_t row = 0; row < k; ++row) most = std::max(most, std::abs(value(row, column)));
      packed.scales.data<float>()[column] = most / 127.0f;
      const float inverse = most > 0 ? 127.0f / most : 0.0f;
      for (int64_t row = 0; row < k; ++row) {
        bytes.data<int8_t>()[column * k + row] = static_cast<int8_t>(std::lround(value(row, column) * inverse));
      }
    }
    pack_bytes(bytes.data<int8_t>(), 1, k, packed);
    return matrix;
  }
  require(compute == DType::f32 || compute == DType::bf16, ErrorKind::unsupported, "pack_rhs: no products in {}", name_of(compute));
  packed.panels = Tensor::empty({cpu::panel_count(n) * cpu::padded_k(k, compute) * cpu::kPanelColumns}, compute);
  backend().pack(b, matrix);
  return matrix;
}

void gemm_packed(const GemmArgs& args, const PackedMatrix& b) { backend().gemm_packed(args, b); }

PackedMatrix pack_rhs_i8(const int8_t* b, int64_t row_stride, int64_t col_stride, int64_t k, int64_t n) {
  check_sizes(k, n);
  PackedMatrix matrix;
  matrix.impl().k = k;
  matrix.impl().n = n;
  matrix.impl().compute = DType::i8;
  pack_bytes(b, row_stride, col_stride, matrix.impl());
  return matrix;
}

void gemm_u8i8i32(int64_t m, const uint8_t* a, int64_t lda, const PackedMatrix& b, int32_t* c, int64_t ldc) {
  require(b.impl().compute == DType::i8, ErrorKind::shape, "gemm_u8i8i32: the matrix is packed for {}", name_of(b.impl().compute));
  backend().gemm_u8i8i32(m, a, lda, b, c, ldc);
}

}  // namespace sensorium::kernels
