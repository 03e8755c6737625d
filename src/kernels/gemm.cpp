// The functions of gemm.h: checks, and the choice of the machine's backend.
#include "kernels/gemm.h"

#include "kernels/cpu/gemm.h"
#include "kernels/isa.h"

namespace sensorium::kernels {

// cpu/gemm.cpp, compiled once per instruction set.
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
namespace cpu::avx512_amx {
extern const GemmBackend gemm_backend;
}
#endif

const cpu::GemmBackend& cpu::gemm_backend_of(Isa isa) {
  if (isa_supported(isa)) {
    switch (isa) {
      case Isa::portable:
        return portable::gemm_backend;
#if defined(SENSORIUM_HAVE_avx2)
      case Isa::avx2:
        return avx2::gemm_backend;
      case Isa::avx512:
        return avx512::gemm_backend;
      case Isa::avx512_bf16:
        return avx512_bf16::gemm_backend;
      case Isa::avx512_amx:
        return avx512_amx::gemm_backend;
#else
      default:
        break;
#endif
    }
  }
  fail(ErrorKind::unsupported, "this build or processor has no {} kernels", name_of(isa));
}

namespace {

const cpu::GemmBackend& backend() {
  static const cpu::GemmBackend& chosen = cpu::gemm_backend_of(active_isa());
  return chosen;
}

PackedMatrix sized(int64_t k, int64_t n, DType compute) {
  require(k >= 0 && n >= 0, ErrorKind::shape, "a matrix of {} x {} cannot be packed", k, n);
  PackedMatrix matrix;
  matrix.impl().k = k;
  matrix.impl().n = n;
  matrix.impl().compute = compute;
  matrix.impl().backend = &backend();
  return matrix;
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
  require(is_float(b.dtype), ErrorKind::shape, "pack_rhs: the matrix is {}, expected f32, bf16 or f16",
          name_of(b.dtype));
  require(compute == DType::f32 || compute == DType::bf16 || compute == DType::i8, ErrorKind::unsupported,
          "pack_rhs: no products in {}", name_of(compute));
  PackedMatrix matrix = sized(k, n, compute);
  backend().pack(b, matrix);
  return matrix;
}

void gemm_packed(const GemmArgs& args, const PackedMatrix& b) {
  require(b.impl().backend != nullptr, ErrorKind::shape, "gemm_packed: the matrix was never packed");
  require(b.impl().compute != DType::i8 || b.impl().scales.defined(), ErrorKind::shape,
          "gemm_packed: the matrix was packed by pack_rhs_i8, whose products are gemm_u8i8i32's");
  b.impl().backend->gemm_packed(args, b);
}

PackedMatrix pack_rhs_i8(const int8_t* b, int64_t row_stride, int64_t col_stride, int64_t k, int64_t n) {
  PackedMatrix matrix = sized(k, n, DType::i8);
  backend().pack_bytes({b, DType::i8, row_stride, col_stride}, matrix);
  return matrix;
}

void gemm_u8i8i32(int64_t m, const uint8_t* a, int64_t lda, const PackedMatrix& b, int32_t* c, int64_t ldc) {
  require(b.impl().backend != nullptr && b.impl().compute == DType::i8, ErrorKind::shape,
          "gemm_u8i8i32: the matrix is packed for {}, expected i8", name_of(b.impl().compute));
  require(!b.impl().scales.defined(), ErrorKind::shape,
          "gemm_u8i8i32: the matrix was packed with scales by pack_rhs, whose products are gemm_packed's");
  b.impl().backend->gemm_u8i8i32(m, a, lda, b, c, ldc);
}

}  // namespace sensorium::kernels
