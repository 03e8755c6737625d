// Matrix products. B is packed into panels of 64 columns (kernels/cpu/gemm.h); a micro-kernel keeps 6 rows x 64 columns of C in
// registers (24 of the 32 of AVX-512) while it walks along k: four loads of B and six broadcasts of A feed 24 products.
// Rows of A are read where they are if their type and stride allow it, else copied; a transposed A is packed in groups of k.
#include "kernels/cpu/micro.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kRowBlock = 48;         // rows of A that stay in L2 while panels pass
constexpr int64_t kGroupPanels = 4;       // panels of one task
constexpr int64_t kMaxVectorRows = 4;     // up to here, row-major weights are read where they are
constexpr int kScratchB = 0, kScratchA = 1;

// Calls finish(row, column, rows, columns, sums[rows][64]) for every tile of C.
template <typename Word, typename Sum, typename Finish>
void for_tiles(int64_t m, int64_t n, const Rows<Word>& a, const Word* panels, int64_t groups,
               const Micro<Word, Sum> (&micro)[kRows], const Finish& finish) {
  const int64_t panels_n = panel_count(n), blocks_m = (m + kRowBlock - 1) / kRowBlock;
  const int64_t per_task = panels_n * blocks_m > 64 ? kGroupPanels : 1;
  const int64_t tasks_n = (panels_n + per_task - 1) / per_task;
  parallel_for(tasks_n * blocks_m, 1, [&](int64_t begin, int64_t end, int) {
    alignas(64) Sum sums[kRows * kColumns];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t block = task % blocks_m, first_panel = task / blocks_m * per_task;
      for (int64_t panel = first_panel; panel < std::min(first_panel + per_task, panels_n); ++panel) {
        const int64_t last = std::min(m, (block + 1) * kRowBlock);
        for (int64_t row = block * kRowBlock; row < last; row += kRows) {
          const int64_t rows = std::min(kRows, last - row);
          micro[rows - 1](a.from(row), panels + panel * groups * kColumns, groups, sums);
          finish(row, panel * kColumns, rows, std::min(kColumns, n - panel * kColumns), sums);
        }
      }
    }
  });
}

void store_tile(const GemmArgs& args, int64_t row, int64_t column, int64_t rows, int64_t columns, float* sums) {
  for (int64_t r = 0; r < rows; ++r) {
    float* sum = sums + r * kColumns;
    if (args.bias != nullptr) {
      for (int64_t j = 0; j < columns; ++j) sum[j] += args.bias[column + j];
    }
    with_type(args.c_dtype, [&](auto* tag) {
      auto* c = static_cast<decltype(tag)>(args.c) + (row + r) * args.ldc + column;
      if (args.accumulate) {
        for (int64_t j = 0; j < columns; ++j) store(c, j, load(c, j) + sum[j]);
      } else {
        for (int64_t j = 0; j < columns; ++j) store(c, j, sum[j]);
      }
    });
  }
}

// A in the precision of the products. Copies into the calling thread's scratch where A cannot be read in place.
Rows<uint32_t> rows_bf16(const GemmArgs& args) {
  const int64_t pairs = (args.k + 1) / 2;
  const GemmOperand& a = args.a;
  if (a.dtype == DType::bf16 && a.col_stride == 1 && args.k % 2 == 0 && a.row_stride % 2 == 0 &&
      reinterpret_cast<uintptr_t>(a.data) % 4 == 0) {
    return {static_cast<const uint32_t*>(a.data), a.row_stride / 2, 1};
  }
  auto* copy = static_cast<uint32_t*>(thread_scratch(static_cast<size_t>(args.m * pairs) * 4, kScratchA));
  with_float_type(a.dtype, [&](auto* tag) {
    using T = std::remove_const_t<Pointee<decltype(tag)>>;
    const T* data = static_cast<const T*>(a.data);
    if (a.col_stride == 1) {
      parallel_for(args.m, 16, [&](int64_t begin, int64_t end, int) {
        for (int64_t row = begin; row < end; ++row) {
          const T* from = data + row * a.row_stride;
          uint32_t* to = copy + row * pairs;
          for (int64_t p = 0; p < args.k / 2; ++p) to[p] = brain_bits(from, 2 * p) | brain_bits(from, 2 * p + 1) << 16;
          if (args.k % 2 != 0) to[pairs - 1] = brain_bits(from, args.k - 1);
        }
      });
    } else {
      parallel_for(pairs, 16, [&](int64_t begin, int64_t end, int) {
        for (int64_t p = begin; p < end; ++p) {
          const T* row = data + 2 * p * a.col_stride;
          pack_pairs_rows(row, 2 * p + 1 < args.k ? row + a.col_stride : nullptr, args.m, args.m, copy + p * args.m);
        }
      });
    }
  });
  return a.col_stride == 1 ? Rows<uint32_t>{copy, pairs, 1} : Rows<uint32_t>{copy, 1, args.m};
}

Rows<float> rows_f32(const GemmArgs& args) {
  const GemmOperand& a = args.a;
  if (a.dtype == DType::f32) return {static_cast<const float*>(a.data), a.row_stride, a.col_stride};
  auto* copy = static_cast<float*>(thread_scratch(static_cast<size_t>(args.m * args.k) * 4, kScratchA));
  with_float_type(a.dtype, [&](auto* tag) {
    using T = std::remove_const_t<Pointee<decltype(tag)>>;
    const T* data = static_cast<const T*>(a.data);
    parallel_for(args.m, 16, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t i = 0; i < args.k; ++i) copy[row * args.k + i] = load(data, row * a.row_stride + i * a.col_stride);
      }
    });
  });
  return {copy, args.k, 1};
}

void multiply(const GemmArgs& args, DType compute, const void* panels) {
  const auto finish = [&](int64_t row, int64_t column, int64_t rows, int64_t columns, float* sums) {
    store_tile(args, row, column, rows, columns, sums);
  };
  if (compute == DType::bf16) {
    for_tiles(args.m, args.n, rows_bf16(args), static_cast<const uint32_t*>(panels), (args.k + 1) / 2, kMicroBf16, finish);
  } else {
    for_tiles(args.m, args.n, rows_f32(args), static_cast<const float*>(panels), args.k, kMicroF32, finish);
  }
}

// A few rows against weights w[N, K]: each weight is read once, where it is. Bound by memory.
void multiply_vectors(const GemmArgs& args) {
  with_float_type(args.a.dtype, [&](auto* a_tag) {
    with_float_type(args.b.dtype, [&](auto* b_tag) {
      const auto* a = static_cast<decltype(a_tag)>(args.a.data);
      const auto* b = static_cast<decltype(b_tag)>(args.b.data);
      parallel_for(args.n, std::clamp<int64_t>(16384 / std::max<int64_t>(args.k, 1), 4, 256), [&](int64_t begin, int64_t end, int) {
        for (int64_t n = begin; n < end; ++n) {
          for (int64_t row = 0; row < args.m; ++row) {
            float sum = dot(a + row * args.a.row_stride, b + n * args.b.col_stride, args.k);
            if (args.bias != nullptr) sum += args.bias[n];
            with_type(args.c_dtype, [&](auto* tag) {
              auto* c = static_cast<decltype(tag)>(args.c) + row * args.ldc + n;
              store(c, 0, args.accumulate ? load(c, 0) + sum : sum);
            });
          }
        }
      });
    });
  });
}

// Rows of A to unsigned bytes (offset 128), one scale per row.
void quantize_rows(const GemmArgs& args, uint8_t* bytes, int64_t padded, float* scales) {
  parallel_for(args.m, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      float most = 0;
      for (int64_t i = 0; i < args.k; ++i) {
        most = std::max(most, std::abs(load_any(args.a.data, args.a.dtype, row * args.a.row_stride + i * args.a.col_stride)));
      }
      const float inverse = most > 0 ? 127.0f / most : 0.0f;
      scales[row] = most / 127.0f;
      for (int64_t i = 0; i < padded; ++i) {
        const float value = i < args.k ? load_any(args.a.data, args.a.dtype, row * args.a.row_stride + i * args.a.col_stride) : 0.0f;
        bytes[row * padded + i] = static_cast<uint8_t>(static_cast<int>(__builtin_rintf(value * inverse)) + 128);
      }
    }
  });
}

}  // namespace

void gemm(const GemmArgs& args) {
  if (args.m == 0 || args.n == 0) return;
  // Vectors go without packing; products of f32 values stay exact then, which bf16 compute does not promise but allows.
  if (args.m <= kMaxVectorRows && args.a.col_stride == 1 && args.b.row_stride == 1) {
    multiply_vectors(args);
    return;
  }
  const int64_t panels = panel_count(args.n);
  const size_t bytes = static_cast<size_t>(panels * padded_k(args.k, args.compute) * kColumns) * size_of(args.compute);
  void* packed = thread_scratch(bytes, kScratchB);
  parallel_for(panels, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t panel = begin; panel < end; ++panel) pack_panel(args.b, args.k, args.n, args.compute, panel, packed);
  });
  multiply(args, args.compute, packed);
}

void gemm_packed(const GemmArgs& args, const PackedMatrix& b) {
  const PackedMatrix::Impl& packed = b.impl();
  if (args.m == 0 || packed.n == 0) return;
  GemmArgs full = args;
  full.n = packed.n;
  full.k = packed.k;
  if (packed.compute != DType::i8) {
    multiply(full, packed.compute, packed.panels.raw());
    return;
  }
  const int64_t padded = padded_k(packed.k, DType::i8);
  auto* bytes = static_cast<uint8_t*>(thread_scratch(static_cast<size_t>(args.m * padded), kScratchA));
  auto* scales = static_cast<float*>(thread_scratch(static_cast<size_t>(args.m) * 4, kScratchB));
  quantize_rows(full, bytes, padded, scales);
  const float* column_scales = packed.scales.data<float>();
  const int32_t* column_sums = packed.column_sums.data<int32_t>();
  for_tiles(full.m, full.n, Rows<uint32_t>{reinterpret_cast<const uint32_t*>(bytes), padded / 4, 1},
            static_cast<const uint32_t*>(packed.panels.raw()), padded / 4, kMicroInt8,
            [&](int64_t row, int64_t column, int64_t rows, int64_t columns, int32_t* sums) {
              alignas(64) float values[kRows * kColumns];
              for (int64_t r = 0; r < rows; ++r) {
                for (int64_t j = 0; j < columns; ++j) {
                  const int32_t exact = sums[r * kColumns + j] - 128 * column_sums[column + j];
                  values[r * kColumns + j] = static_cast<float>(exact) * scales[row + r] * column_scales[column + j];
                }
              }
              store_tile(full, row, column, rows, columns, values);
            });
}

void pack(const GemmOperand& b, PackedMatrix& matrix) {
  PackedMatrix::Impl& packed = matrix.impl();
  parallel_for(panel_count(packed.n), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t panel = begin; panel < end; ++panel) {
      pack_panel(b, packed.k, packed.n, packed.compute, panel, packed.panels.raw());
    }
  });
}

void gemm_u8i8i32(int64_t m, const uint8_t* a, int64_t lda, const PackedMatrix& b, int32_t* c, int64_t ldc) {
  const PackedMatrix::Impl& packed = b.impl();
  const int64_t padded = padded_k(packed.k, DType::i8);
  const uint8_t* rows = a;
  int64_t stride = lda;
  if (lda % 4 != 0 || packed.k % 4 != 0 || reinterpret_cast<uintptr_t>(a) % 4 != 0) {
    auto* copy = static_cast<uint8_t*>(thread_scratch(static_cast<size_t>(m * padded), kScratchA));
    std::memset(copy, 0, static_cast<size_t>(m * padded));
    for (int64_t row = 0; row < m; ++row) std::memcpy(copy + row * padded, a + row * lda, static_cast<size_t>(packed.k));
    rows = copy;
    stride = padded;
  }
  for_tiles(m, packed.n, Rows<uint32_t>{reinterpret_cast<const uint32_t*>(rows), stride / 4, 1},
            static_cast<const uint32_t*>(packed.panels.raw()), padded / 4, kMicroInt8,
            [&](int64_t row, int64_t column, int64_t count, int64_t columns, int32_t* sums) {
              for (int64_t r = 0; r < count; ++r) {
                std::memcpy(c + (row + r) * ldc + column, sums + r * kColumns, static_cast<size_t>(columns) * 4);
              }
            });
}

extern const GemmBackend gemm_backend;
const GemmBackend gemm_backend = {gemm, gemm_packed, pack, gemm_u8i8i32};

SENSORIUM_ISA_END
