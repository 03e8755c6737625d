// Matrix products against plain loops in f64, on every instruction set of this machine.
//
// Bounds. A sum of k products of standard normal values grows like sqrt(i), and every addition rounds it by at most
// 2^-24 of itself: the errors have a standard deviation of about 2^-24 k / sqrt(6), of which twelve are allowed, 5 *
// 2^-24 (k + 16) with bias and c. bf16 results add half a unit in the last place, 2^-8 of themselves at most.
#include "kernels/gemm.h"

#include <gtest/gtest.h>

#include "kernel_check.h"
#include "kernels/cpu/gemm.h"

namespace sensorium::kernels {
namespace {

constexpr DType kFloats[] = {DType::f32, DType::bf16, DType::f16};

double round_to(double value, DType compute) {
  return compute == DType::bf16 ? static_cast<double>(static_cast<float>(bf16(static_cast<float>(value)))) : value;
}

// A product with its operands, strides wider than the matrices and bases off their natural alignment by `offset`
// elements.
struct Problem {
  int64_t m, n, k;
  DType a_type, b_type, c_type, compute;
  bool a_turned, b_turned;  // k runs along a's columns; k runs along b's rows
  bool bias, accumulate;
  int64_t offset;

  std::string name() const {
    return fmt::format("{}x{}x{} {}{} x {}{} -> {} by {}{}{} offset {}", m, n, k, name_of(a_type), a_turned ? "'" : "",
                       name_of(b_type), b_turned ? "'" : "", name_of(c_type), name_of(compute), bias ? " + bias" : "",
                       accumulate ? " + c" : "", offset);
  }
};

class Operands {
 public:
  explicit Operands(const Problem& p, uint64_t seed = 1)
      : problem(p),
        lda((p.a_turned ? p.m : p.k) + p.offset),
        ldb((p.b_turned ? p.k : p.n) + p.offset),
        ldc(p.n + p.offset),
        rng_(seed),
        a(Buffer::normal(rng_, (p.a_turned ? p.k : p.m) * lda, p.a_type, p.offset)),
        b(Buffer::normal(rng_, (p.b_turned ? p.n : p.k) * ldb, p.b_type, p.offset)),
        c(Buffer::normal(rng_, p.m * ldc, p.c_type, p.offset)),
        bias(Buffer::normal(rng_, p.n, DType::f32, p.offset)) {
    std::vector<double> a_MK(static_cast<size_t>(p.m * p.k)), b_NK(static_cast<size_t>(p.n * p.k));
    for (int64_t i = 0; i < p.m * p.k; ++i) {
      a_MK[static_cast<size_t>(i)] =
          round_to(a[p.a_turned ? i % p.k * lda + i / p.k : i / p.k * lda + i % p.k], p.compute);
    }
    for (int64_t i = 0; i < p.n * p.k; ++i) {
      b_NK[static_cast<size_t>(i)] =
          round_to(b[p.b_turned ? i / p.k * ldb + i % p.k : i % p.k * ldb + i / p.k], p.compute);
    }
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t j = 0; j < p.n; ++j) {
        double sum = (p.bias ? bias[j] : 0.0) + (p.accumulate ? c[i * ldc + j] : 0.0);
        for (int64_t k = 0; k < p.k; ++k)
          sum += a_MK[static_cast<size_t>(i * p.k + k)] * b_NK[static_cast<size_t>(j * p.k + k)];
        wanted_.push_back(sum);
      }
    }
  }

  GemmArgs args(const Buffer& out) const {
    GemmArgs args;
    args.m = problem.m;
    args.n = problem.n;
    args.k = problem.k;
    args.a = {a.data(), problem.a_type, problem.a_turned ? 1 : lda, problem.a_turned ? lda : 1};
    args.b = {b.data(), problem.b_type, problem.b_turned ? 1 : ldb, problem.b_turned ? ldb : 1};
    args.c = out.data();
    args.c_dtype = problem.c_type;
    args.ldc = ldc;
    args.bias = problem.bias ? bias.floats() : nullptr;
    args.accumulate = problem.accumulate;
    args.compute = problem.compute;
    return args;
  }
  // Checks `out`, a copy of c that a product wrote to: the product where it belongs, c's own values elsewhere.
  void check(const Buffer& out, const std::string& what) const {
    ASSERT_TRUE(out.intact()) << what << ": writes outside of c";
    const double tolerance = 5 * 0x1.0p-24 * (static_cast<double>(problem.k) + 16);
    for (int64_t i = 0; i < problem.m; ++i) {
      for (int64_t j = 0; j < ldc; ++j) {
        const double got = out[i * ldc + j], old = c[i * ldc + j];
        if (j >= problem.n) {
          ASSERT_EQ(got, old) << what << ": writes beyond the columns of c at " << i << ", " << j;
          continue;
        }
        const double sum = wanted_[static_cast<size_t>(i * problem.n + j)];
        const double bound = tolerance + (problem.c_type == DType::bf16 ? 0x1.0p-8 * 1.01 * std::abs(sum) : 0.0);
        ASSERT_NEAR(got, sum, bound) << what << " at " << i << ", " << j;
      }
    }
  }

  const Problem problem;
  const int64_t lda, ldb, ldc;

 private:
  Rng rng_;

 public:
  const Buffer a, b, c, bias;

 private:
  std::vector<double> wanted_;
};

Buffer copy_of(const Operands& operands) {
  const Problem& p = operands.problem;
  Buffer out(p.m * operands.ldc, p.c_type, p.offset);
  std::memcpy(out.data(), operands.c.data(), out.size_bytes());
  return out;
}

void check_plain(const Problem& p) {
  const Operands operands(p);
  for_each_isa([&](const KernelTable& table, const std::string& isa) {
    const Buffer out = copy_of(operands);
    table.gemm(operands.args(out));
    operands.check(out, isa + " " + p.name());
  });
}

PackedMatrix pack_for(Isa isa, const GemmOperand& b, int64_t k, int64_t n, DType compute) {
  PackedMatrix packed;
  packed.impl().k = k;
  packed.impl().n = n;
  packed.impl().compute = compute;
  packed.impl().backend = &cpu::gemm_backend_of(isa);
  packed.impl().backend->pack(b, packed);
  return packed;
}

void check_packed(const Problem& p) {
  const Operands operands(p);
  for (const Isa isa : kAllIsas) {
    if (!isa_supported(isa)) continue;
    const Buffer out = copy_of(operands);
    const GemmArgs args = operands.args(out);
    gemm_packed(args, pack_for(isa, args.b, p.k, p.n, p.compute));
    operands.check(out, fmt::format("packed {} {}", name_of(isa), p.name()));
  }
}

TEST(Gemm, EveryCombinationOfTypesAndTranspositions) {
  for (const DType a_type : kFloats) {
    for (const DType b_type : kFloats) {
      for (const DType c_type : {DType::f32, DType::bf16}) {
        for (const DType compute : {DType::f32, DType::bf16}) {
          for (int bits = 0; bits < 4; ++bits) {
            const Problem p{
                19,        83,        45,  a_type, b_type, c_type, compute, (bits & 1) != 0, (bits & 2) != 0,
                bits == 1, bits == 2, bits};
            check_plain(p);
            check_packed(p);
          }
        }
      }
    }
  }
}

// Every number of rows around the tile, of columns around the panel and of k around the group and the vector.
TEST(Gemm, EverySizeUpTo70) {
  for (const DType type : {DType::f32, DType::bf16}) {
    for (int64_t size = 1; size <= 70; ++size) {
      const bool odd = size % 2 != 0;
      check_plain({size, 70 - size / 3, 33, type, type, DType::f32, type, odd, false, odd, !odd, size % 3});
      check_plain({7, size, 70 - size, type, type, type, type, false, odd, !odd, odd, size % 5});
      check_plain({13, 37, size, type, type, DType::f32, type, size % 3 == 0, size % 3 != 1, false, odd, 0});
      check_packed({size, 71 - size, size, type, type, type, type, odd, odd, true, false, size % 4});
    }
  }
}

TEST(Gemm, FewRowsReadTheWeightsWhereTheyAre) {
  for (const DType a_type : kFloats) {
    for (const DType b_type : kFloats) {
      for (int64_t m = 1; m <= 6; ++m) {
        for (const int64_t k : {1, 2, 31, 32, 33, 100, 257}) {
          check_plain(
              {m, 9 + m, k, a_type, b_type, DType::f32, DType::bf16, false, true, m % 2 == 0, m % 3 == 0, m % 3});
          check_plain({m, 9 + m, k, a_type, b_type, DType::bf16, DType::f32, false, true, m % 2 == 1, m % 3 == 1, 1});
        }
      }
    }
  }
}

TEST(Gemm, OneColumn) {
  for (const bool turned : {false, true}) {
    check_plain({50, 1, 40, DType::bf16, DType::bf16, DType::f32, DType::bf16, false, turned, true, true, 1});
    check_plain({2, 1, 40, DType::f32, DType::f32, DType::f32, DType::f32, turned, turned, true, true, 1});
  }
}

// Several blocks of rows, several chunks of k, tasks of several panels (with one thread).
TEST(Gemm, LargeProducts) {
  const int threads = thread_count();
  for (int bits = 0; bits < 4; ++bits) {
    const bool a_turned = (bits & 1) != 0, b_turned = (bits & 2) != 0;
    set_thread_count(bits == 0 ? 1 : 2);
    check_plain(
        {103, 331, 1101, DType::bf16, DType::bf16, DType::bf16, DType::bf16, a_turned, b_turned, true, false, 2});
    check_plain({203, 331, 601, DType::f32, DType::f32, DType::f32, DType::f32, a_turned, b_turned, false, true, 1});
  }
  set_thread_count(1);
  check_packed({203, 331, 1100, DType::bf16, DType::bf16, DType::f32, DType::bf16, false, true, true, true, 2});
  set_thread_count(threads);
  check_packed({40, 200, 2300, DType::f32, DType::bf16, DType::f32, DType::bf16, false, true, true, true, 0});
}

TEST(Gemm, EmptySumsAreZeroPlusBias) {
  for (const DType type : {DType::f32, DType::bf16}) {
    for (const int64_t m : {1, 3, 20, 200}) {
      for (const bool accumulate : {false, true}) {
        check_plain({m, 70, 0, type, type, type, type, false, true, true, accumulate, 1});
        check_packed({m, 70, 0, type, type, type, type, false, true, false, accumulate, 1});
      }
    }
  }
  GemmArgs nothing;
  for_each_isa([&](const KernelTable& table, const std::string&) { table.gemm(nothing); });
}

// A NaN or infinity beyond the end of a row must not reach its sums.
TEST(Gemm, PaddingIsNotMultiplied) {
  for_each_isa([&](const KernelTable& table, const std::string& isa) {
    for (const DType type : {DType::f32, DType::bf16}) {
      for (const int64_t m : {1, 9}) {
        const int64_t n = 5, k = 7, ld = 8;
        Buffer a(m * ld, type), b(n * ld, type), c(m * n);
        for (int64_t i = 0; i < m * ld; ++i) a.set(i, i % ld == k ? NAN : 1);
        for (int64_t i = 0; i < n * ld; ++i) b.set(i, i % ld == k ? INFINITY : 2);
        table.gemm({.m = m,
                    .n = n,
                    .k = k,
                    .a = {a.data(), type, ld, 1},
                    .b = {b.data(), type, 1, ld},
                    .c = c.data(),
                    .ldc = n,
                    .compute = type});
        for (int64_t i = 0; i < m * n; ++i) ASSERT_EQ(c[i], 14) << isa;
      }
    }
  });
}

TEST(Gemm, BitsDoNotDependOnTheNumberOfThreads) {
  for (const DType type : {DType::f32, DType::bf16}) {
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{230, 400, 700}, {37, 500, 1300}, {2, 1000, 700}}) {
      const Operands operands({m, n, k, type, type, type, type, false, true, true, true, 0});
      expect_thread_independent([&](const KernelTable& table) {
        Buffer out = copy_of(operands);
        table.gemm(operands.args(out));
        return out;
      });
    }
  }
}

TEST(Gemm, PackedAndUnpackedGiveTheSameBits) {
  for (const DType type : {DType::f32, DType::bf16}) {
    const Operands operands({150, 130, 1500, type, type, DType::f32, type, false, true, true, false, 0});
    const Buffer plain = copy_of(operands), packed = copy_of(operands);
    gemm(operands.args(plain));
    const GemmArgs args = operands.args(packed);
    gemm_packed(args, pack_rhs(args.b, args.k, args.n, type));
    EXPECT_TRUE(plain.same_bytes(packed));
  }
}

TEST(Gemm, BytesAreExact) {
  Rng rng(3);
  for (const Isa isa : kAllIsas) {
    if (!isa_supported(isa)) continue;
    for (const auto& [m, n, k] :
         {std::array<int64_t, 3>{1, 1, 1}, {3, 70, 5}, {13, 65, 64}, {100, 130, 2101}, {20, 64, 4099}, {4, 9, 0}}) {
      for (const bool turned : {false, true}) {
        const int64_t lda = k + 3, ldb = (turned ? k : n) + 1, ldc = n + 2;
        std::vector<uint8_t> a(static_cast<size_t>(m * lda));
        std::vector<int8_t> b(static_cast<size_t>((turned ? n : k) * ldb));
        // The extremes, where 16-bit sums of pairs would saturate.
        for (uint8_t& value : a) value = static_cast<uint8_t>(rng.below(2) == 0 ? 255 : rng.below(256));
        for (int8_t& value : b) value = static_cast<int8_t>(rng.below(2) == 0 ? -128 : rng.integer(-128, 127));
        std::vector<int32_t> c(static_cast<size_t>(m * ldc), -7);
        PackedMatrix packed;
        packed.impl().k = k;
        packed.impl().n = n;
        packed.impl().compute = DType::i8;
        packed.impl().backend = &cpu::gemm_backend_of(isa);
        packed.impl().backend->pack_bytes({b.data(), DType::i8, turned ? 1 : ldb, turned ? ldb : 1}, packed);
        gemm_u8i8i32(m, a.data(), lda, packed, c.data(), ldc);
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < ldc; ++j) {
            int32_t sum = j < n ? 0 : -7;
            for (int64_t l = 0; j < n && l < k; ++l) {
              sum += a[static_cast<size_t>(i * lda + l)] * b[static_cast<size_t>(turned ? j * ldb + l : l * ldb + j)];
            }
            ASSERT_EQ(c[static_cast<size_t>(i * ldc + j)], sum)
                << name_of(isa) << " " << m << "x" << n << "x" << k << " at " << i << ", " << j;
          }
        }
      }
    }
  }
}

// Each operand is off by at most half a step (its greatest value / 254); the errors of k products add up like a random
// walk.
TEST(Gemm, QuantizedWeightsStayWithinTheirSteps) {
  for (const Isa isa : kAllIsas) {
    if (!isa_supported(isa)) continue;
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 64, 128}, {33, 70, 301}}) {
      for (const DType type : kFloats) {
        for (const bool a_turned : {false, true}) {
          const Operands operands({m, n, k, type, type, DType::f32, DType::f32, a_turned, true, true, true, 1});
          const Buffer out = copy_of(operands), exact = copy_of(operands);
          const GemmArgs args = operands.args(out);
          gemm_packed(args, pack_for(isa, args.b, k, n, DType::i8));
          GemmArgs reference = operands.args(exact);
          reference_kernels().gemm(reference);
          const double step = 4.0 / 254, bound = 6 * step * std::sqrt(2.0 * static_cast<double>(k) / 3);
          for (int64_t i = 0; i < out.count(); ++i) ASSERT_NEAR(out[i], exact[i], bound) << name_of(isa) << " " << i;
          EXPECT_TRUE(out.intact());
        }
      }
    }
  }
}

TEST(Gemm, RowsThatAreNotFiniteStaySo) {
  const int64_t n = 20, k = 70;
  for (const float value : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    std::vector<float> a(static_cast<size_t>(2 * k), 0.5f), b(static_cast<size_t>(n * k), 0.25f),
        c(static_cast<size_t>(2 * n));
    a[3] = value;
    for (const Isa isa : kAllIsas) {
      if (!isa_supported(isa)) continue;
      const GemmOperand weights{b.data(), DType::f32, 1, k};
      gemm_packed({.m = 2, .n = n, .k = k, .a = {a.data(), DType::f32, k, 1}, .c = c.data(), .ldc = n},
                  pack_for(isa, weights, k, n, DType::i8));
      for (int64_t j = 0; j < n; ++j) {
        EXPECT_FALSE(std::isfinite(c[static_cast<size_t>(j)])) << name_of(isa);
        EXPECT_TRUE(std::isfinite(c[static_cast<size_t>(n + j)])) << name_of(isa);
      }
    }
  }
}

TEST(Gemm, PackedMatrixTellsItsSizes) {
  const std::vector<float> weights(static_cast<size_t>(6 * 10), 1.0f);
  const PackedMatrix packed = pack_rhs({weights.data(), DType::f32, 1, 6}, 6, 10, DType::f32);
  EXPECT_EQ(packed.k(), 6);
  EXPECT_EQ(packed.n(), 10);
  EXPECT_GE(packed.bytes(), weights.size() * sizeof(float));
  EXPECT_EQ(PackedMatrix().bytes(), 0u);
}

TEST(Gemm, RejectsWhatItCannotPack) {
  const int32_t value = 0;
  EXPECT_THROW(pack_rhs({&value, DType::i32, 1, 1}, 1, 1, DType::f32), Error);
  EXPECT_THROW(pack_rhs({&value, DType::f32, 1, 1}, 1, 1, DType::i64), Error);
  EXPECT_THROW(pack_rhs({&value, DType::f32, 1, 1}, -1, 1, DType::f32), Error);
  EXPECT_THROW(gemm_packed({}, PackedMatrix()), Error);
  EXPECT_THROW(gemm_u8i8i32(1, nullptr, 1, pack_rhs({&value, DType::f32, 1, 1}, 1, 1, DType::f32), nullptr, 1), Error);
  // Two kinds of int8 packs, with scales and without: neither goes through the other's product.
  const int8_t byte = 1;
  EXPECT_THROW(gemm_packed({}, pack_rhs_i8(&byte, 1, 1, 1, 1)), Error);
  EXPECT_THROW(gemm_u8i8i32(1, nullptr, 1, pack_rhs({&value, DType::f32, 1, 1}, 1, 1, DType::i8), nullptr, 1), Error);
}

}  // namespace
}  // namespace sensorium::kernels
