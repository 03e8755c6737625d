// Matrix products. B is packed into panels of kColumns columns, which the micro-kernel (gemm/micro.h) walks along; rows
// of A are read where they are if their type and stride allow it (Goto and van de Geijn 2008; without their packing of
// A, which does not pay for what is contiguous).
#include <limits>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/gemm/vectors.h"

SENSORIUM_ISA_BEGIN
namespace {

// Products below about 20 microseconds of one thread: waking another one costs as much.
bool runs_alone(int64_t m, int64_t n, int64_t k) { return m * n * k <= (int64_t{1} << 22); }

template <typename Products>
void pack_panels(const GemmOperand& b, int64_t k, int64_t n, bool alone, uint32_t* out) {
  const int64_t panels = div_up(n, kColumns), groups = group_count<Products>(k);
  const int64_t chunks = div_up(groups, kChunkGroups), tasks = panels * chunks;
  with_type_of<Products>(b.dtype, [&](auto* tag) {
    using T = std::remove_const_t<Pointee<decltype(tag)>>;
    parallel_for(tasks, alone ? tasks : 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t panel = task / chunks, first = task % chunks * kChunkGroups;
        const int64_t column = panel * kColumns;
        pack_panel<Products>(static_cast<const T*>(b.data), b.row_stride, b.col_stride, k, column,
                             std::min(kColumns, n - column), first, std::min(groups, first + kChunkGroups),
                             out + (panel * groups + first) * kColumns);
      }
    });
  });
}
template <typename Products>
size_t panel_bytes(int64_t k, int64_t n) {
  return static_cast<size_t>(div_up(n, kColumns) * group_count<Products>(k) * kColumns) * 4;
}

template <typename Products>
void multiply(const GemmArgs& args, const PanelsOfB& b) {
  const bool alone = runs_alone(args.m, args.n, args.k);
  const RowsOfA a = rows_of<Products>(args.a, args.m, args.k, alone, kScratchA);
  for_tiles<Products>(args.m, args.n, args.k, a, b, alone,
                      [&](int64_t row, int64_t column, int64_t rows, int64_t columns, const float* sums) {
                        store_tile(args, row, column, rows, columns, sums);
                      });
}

template <typename Products>
void multiply_unpacked(const GemmArgs& args) {
  PanelsOfB b{nullptr, args.b};
  if (args.m > kRowBlock) {  // panels are used several times
    auto* panels = static_cast<uint32_t*>(thread_scratch(panel_bytes<Products>(args.k, args.n), kScratchB));
    pack_panels<Products>(args.b, args.k, args.n, runs_alone(args.m, args.n, args.k), panels);
    b.panels = panels;
  }
  multiply<Products>(args, b);
}

// Rows of A to unsigned bytes (offset 128), one scale per row. The scale of a row that holds NaN or infinity is NaN, and so
// is every result that it takes part in.
template <typename T>
void quantize_row(const T* row, int64_t stride, int64_t k, uint8_t* bytes, float& scale) {
  float most = 0;
  int32_t not_finite = 0;
  for (int64_t i = 0; i < k; ++i) {
    const float size = std::abs(load(row, i * stride));
    most = std::max(most, size);
    not_finite |= size <= std::numeric_limits<float>::max() ? 0 : 1;
  }
  if (not_finite != 0) {
    scale = std::numeric_limits<float>::quiet_NaN();
    std::fill_n(bytes, k, uint8_t{128});
    return;
  }
  const float inverse = most > 0 ? 127.0f / most : 0.0f;
  scale = most / 127.0f;
  for (int64_t i = 0; i < k; ++i) {
    bytes[i] = static_cast<uint8_t>(static_cast<int32_t>(__builtin_rintf(load(row, i * stride) * inverse)) + 128);
  }
}

void multiply_bytes(const GemmArgs& args, const PackedMatrix::Impl& b) {
  const bool alone = runs_alone(args.m, args.n, args.k);
  const int64_t stride = group_count<ByteProducts>(args.k) * ByteProducts::kGroup;
  const size_t scale_bytes = static_cast<size_t>(div_up(args.m, 16)) * 64;
  auto* scales = static_cast<float*>(thread_scratch(scale_bytes + static_cast<size_t>(args.m * stride), kScratchB));
  auto* bytes = reinterpret_cast<uint8_t*>(scales) + scale_bytes;
  with_any_type(args.a.dtype, [&](auto* tag) {
    const auto* a = static_cast<const Pointee<decltype(tag)>*>(args.a.data);
    parallel_for(args.m, alone ? args.m : 4, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row) {
        uint8_t* to = bytes + row * stride;
        if (args.a.col_stride == 1) {
          quantize_row(a + row * args.a.row_stride, 1, args.k, to, scales[row]);
        } else {
          quantize_row(a + row * args.a.row_stride, args.a.col_stride, args.k, to, scales[row]);
        }
        for (int64_t i = args.k; i < stride; ++i) to[i] = 0;
      }
    });
  });
  // The padding of A meets the zeros of B's, so that k may be rounded up.
  const int64_t k = group_count<ByteProducts>(args.k) * ByteProducts::kGroup;
  const RowsOfA a = rows_of<ByteProducts>({bytes, DType::u8, stride, 1}, args.m, k, alone, kScratchA);
  const float* column_scales = b.scales.data<float>();
  const int32_t* column_sums = b.column_sums.data<int32_t>();
  for_tiles<ByteProducts>(args.m, args.n, k, a, {static_cast<const uint32_t*>(b.panels.raw()), {}}, alone,
                          [&](int64_t row, int64_t column, int64_t rows, int64_t columns, const int32_t* sums) {
                            alignas(64) float values[kMostTileRows<ByteProducts> * kColumns];
                            for (int64_t r = 0; r < rows; ++r) {
                              for (int64_t j = 0; j < columns; ++j) {
                                const int32_t exact = sums[r * kColumns + j] - 128 * column_sums[column + j];
                                values[r * kColumns + j] =
                                    static_cast<float>(exact) * scales[row + r] * column_scales[column + j];
                              }
                            }
                            store_tile(args, row, column, rows, columns, values);
                          });
}

}  // namespace

void gemm(const GemmArgs& args) {
  if (args.m == 0 || args.n == 0) return;
  const bool vectors = args.m <= kMostVectors && args.a.col_stride == 1 && args.b.row_stride == 1;
  with_products(args.compute, [&](auto products) {
    using Products = decltype(products);
    if (vectors) {
      multiply_vectors<Products>(args);
    } else {
      multiply_unpacked<Products>(args);
    }
  });
}

namespace {

void pack_bytes(const GemmOperand& b, PackedMatrix& matrix) {
  PackedMatrix::Impl& packed = matrix.impl();
  packed.panels = Tensor::empty({static_cast<int64_t>(panel_bytes<ByteProducts>(packed.k, packed.n))}, DType::i8);
  pack_panels<ByteProducts>(b, packed.k, packed.n, false, static_cast<uint32_t*>(packed.panels.raw()));
}

// Columns of float data to signed bytes, one scale per column.
void pack_quantized(const GemmOperand& b, PackedMatrix& matrix) {
  PackedMatrix::Impl& packed = matrix.impl();
  const Tensor bytes = Tensor::empty({packed.n, packed.k}, DType::i8);
  packed.scales = Tensor::empty({packed.n});
  packed.column_sums = Tensor::empty({packed.n}, DType::i32);
  int8_t* to = bytes.data<int8_t>();
  float* scales = packed.scales.data<float>();
  int32_t* sums = packed.column_sums.data<int32_t>();
  const int64_t k = packed.k;
  with_any_type(b.dtype, [&](auto* tag) {
    const auto* data = static_cast<const Pointee<decltype(tag)>*>(b.data);
    parallel_for(packed.n, 16, [&](int64_t begin, int64_t end, int) {
      for (int64_t n = begin; n < end; ++n) {
        const auto* column = data + n * b.col_stride;
        float most = 0;
        for (int64_t i = 0; i < k; ++i) most = std::max(most, std::abs(load(column, i * b.row_stride)));
        const float inverse = most > 0 ? 127.0f / most : 0.0f;
        int32_t sum = 0;
        for (int64_t i = 0; i < k; ++i) {
          const auto value = static_cast<int32_t>(__builtin_rintf(load(column, i * b.row_stride) * inverse));
          to[n * k + i] = static_cast<int8_t>(value);
          sum += value;
        }
        scales[n] = most / 127.0f;
        sums[n] = sum;
      }
    });
  });
  pack_bytes({to, DType::i8, 1, k}, matrix);
}

void pack(const GemmOperand& b, PackedMatrix& matrix) {
  PackedMatrix::Impl& packed = matrix.impl();
  if (packed.compute == DType::i8) return pack_quantized(b, matrix);
  with_products(packed.compute, [&](auto products) {
    using Products = decltype(products);
    packed.panels = Tensor::empty({static_cast<int64_t>(panel_bytes<Products>(packed.k, packed.n))}, DType::i8);
    pack_panels<Products>(b, packed.k, packed.n, false, static_cast<uint32_t*>(packed.panels.raw()));
  });
}

void gemm_packed(const GemmArgs& args, const PackedMatrix& b) {
  const PackedMatrix::Impl& packed = b.impl();
  GemmArgs full = args;
  full.n = packed.n;
  full.k = packed.k;
  if (full.m == 0 || full.n == 0) return;
  if (packed.compute == DType::i8) return multiply_bytes(full, packed);
  with_products(packed.compute, [&](auto products) {
    multiply<decltype(products)>(full, {static_cast<const uint32_t*>(packed.panels.raw()), {}});
  });
}

void gemm_u8i8i32(int64_t m, const uint8_t* a, int64_t lda, const PackedMatrix& b, int32_t* c, int64_t ldc) {
  const PackedMatrix::Impl& packed = b.impl();
  if (m == 0 || packed.n == 0) return;
  const bool alone = runs_alone(m, packed.n, packed.k);
  const RowsOfA rows = rows_of<ByteProducts>({a, DType::u8, lda, 1}, m, packed.k, alone, kScratchA);
  for_tiles<ByteProducts>(m, packed.n, packed.k, rows, {static_cast<const uint32_t*>(packed.panels.raw()), {}}, alone,
                          [&](int64_t row, int64_t column, int64_t count, int64_t columns, const int32_t* sums) {
                            for (int64_t r = 0; r < count; ++r) {
                              std::memcpy(c + (row + r) * ldc + column, sums + r * kColumns,
                                          static_cast<size_t>(columns) * 4);
                            }
                          });
}

}  // namespace

extern const GemmBackend gemm_backend;
const GemmBackend gemm_backend = {gemm, pack, pack_bytes, gemm_packed, gemm_u8i8i32};

SENSORIUM_ISA_END
