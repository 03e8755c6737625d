// Packed weights on every instruction set of this machine.
//
// Bounds. Both sides multiply the same integers exactly. What differs is the rounding of a group's product with its two scales
// (three roundings) and of the additions, each 2^-24 of a value that grows like the square root of k; twelve standard
// deviations are allowed. bf16 results add half a unit in the last place, 2^-8 of themselves at most.
#include "kernels/packed.h"

#include <numeric>

#include "kernels/kernel_check.h"

namespace sensorium::kernels {
namespace {

struct Kind {
  PackedType type;
  int64_t group;
};
constexpr Kind kKinds[] = {{PackedType::bf16, 0}, {PackedType::q8, 32},  {PackedType::q8, 128}, {PackedType::q4, 32},
                           {PackedType::q4, 64},  {PackedType::q4, 256}, {PackedType::q8, 640}};

struct Packed {
  PackedLayout layout;
  std::vector<std::byte> bytes;
  PackedWeightView view() const { return {layout, bytes.data()}; }
};
Packed pack(const Buffer& w, const PackedLayout& layout, int64_t stride) {
  Packed packed{layout, std::vector<std::byte>(static_cast<size_t>(layout.bytes()))};
  pack_weight(w.view(), stride, layout, packed.bytes.data());
  return packed;
}
Packed normal_weights(Rng& rng, const PackedLayout& layout) {
  return pack(Buffer::normal(rng, layout.n * layout.k), layout, layout.k);
}

std::vector<double> unpacked(const Packed& packed, const KernelTable& table) {
  const Buffer out(packed.layout.n * packed.layout.k);
  table.unpack_rows({packed.view(), nullptr, packed.layout.n, out.view()});
  EXPECT_TRUE(out.intact());
  std::vector<double> values;
  for (int64_t i = 0; i < out.count(); ++i) values.push_back(out[i]);
  return values;
}

TEST(Packed, IntegersComeBackExactly) {
  Rng rng(9);
  for (const auto& [type, group] :
       {std::pair{PackedType::q8, int64_t{32}}, {PackedType::q8, 128}, {PackedType::q4, 32}, {PackedType::q4, 64}}) {
    for (const auto& [n, k] : {std::pair<int64_t, int64_t>{1, 1}, {65, 130}, {70, 67}, {128, 320}}) {
      const PackedLayout layout{type, n, k, group};
      const int least = type == PackedType::q4 ? -8 : -128;
      std::vector<int8_t> values(static_cast<size_t>(n * k));
      for (int8_t& value : values)
        value = static_cast<int8_t>(least + static_cast<int>(rng.below(static_cast<uint64_t>(-2 * least))));
      std::vector<f16> scales(static_cast<size_t>(n * layout.groups()));
      for (f16& scale : scales) scale = f16(static_cast<float>(rng.normal()));
      Packed packed{layout, std::vector<std::byte>(static_cast<size_t>(layout.bytes()))};
      pack_integers(
          [&](int64_t row, int8_t* to, f16* to_scales) {
            std::copy_n(values.begin() + row * layout.k, layout.k, to);
            std::copy_n(scales.begin() + row * layout.groups(), layout.groups(), to_scales);
          },
          layout, packed.bytes.data());
      const auto found = unpacked(packed, reference_kernels());
      for (int64_t row = 0; row < n; ++row) {
        for (int64_t i = 0; i < k; ++i) {
          const auto scale = static_cast<float>(scales[static_cast<size_t>(row * layout.groups() + i / group)]);
          const auto at = static_cast<size_t>(row * k + i);
          ASSERT_EQ(found[at], static_cast<double>(scale * static_cast<float>(values[at])))
              << name_of(layout) << " " << n << "x" << k << " row " << row << " value " << i;
        }
      }
    }
  }
}

TEST(Packed, WeightsComeBackWithinHalfAStep) {
  Rng rng(1);
  for (const Kind& kind : kKinds) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      for (const auto& [n, k] : {std::pair<int64_t, int64_t>{1, 1}, {65, 130}, {70, 67}, {128, 320}}) {
        const int64_t stride = k + 3;
        const PackedLayout layout{kind.type, n, k, kind.group};
        const Buffer w = Buffer::normal(rng, n * stride, dtype);
        const auto values = unpacked(pack(w, layout, stride), reference_kernels());
        const int64_t width = kind.group == 0 ? 1 : kind.group;
        for (int64_t row = 0; row < n; ++row) {
          for (int64_t first = 0; first < k; first += width) {
            const int64_t last = std::min(k, first + width);
            double most = 0;
            for (int64_t i = first; i < last; ++i) most = std::max(most, std::abs(w[row * stride + i]));
            // q4: an extreme value may be cut off, by 1.5 of 9.5 steps and what the best scale moves besides.
            const double error = kind.type == PackedType::bf16 ? most * 0x1.02p-8
                                 : kind.type == PackedType::q8 ? most / 127 * 0.51
                                                               : most * 0.25;
            for (int64_t i = first; i < last; ++i) {
              ASSERT_NEAR(values[static_cast<size_t>(row * k + i)], w[row * stride + i], error + 1e-6)
                  << name_of(layout) << " " << n << " x " << k << " at " << row << ", " << i;
            }
          }
        }
      }
    }
  }
}

TEST(Packed, WhatTheTypeHoldsComesBackExactly) {
  for (const Kind& kind : kKinds) {
    const PackedLayout layout{kind.type, 66, 2 * 256 + 5, kind.group};
    const Buffer w(layout.n * layout.k);
    const int64_t most = kind.type == PackedType::q4 ? 8 : 127;
    for (int64_t i = 0; i < w.count(); ++i) {
      // Every group begins with its extreme value, the one that q4 has on one side only.
      const int64_t column = i % layout.k;
      const int64_t value = column % 32 == 0 ? -most : (i * 7) % (2 * most - 1) - most + 1;
      w.floats()[i] = static_cast<float>(value) * 0.125f;
    }
    const auto values = unpacked(pack(w, layout, layout.k), reference_kernels());
    for (int64_t i = 0; i < w.count(); ++i)
      ASSERT_EQ(values[static_cast<size_t>(i)], w[i]) << name_of(layout) << " " << i;
  }
}

// Better than rounding to the plain scale of Q4_0 (extreme / -8 in groups of 32): on normal values its error is 0.0859.
TEST(Packed, FourBitsKeepNormalValuesWell) {
  Rng rng(2);
  const Buffer w = Buffer::normal(rng, 64 * 4096);
  for (const auto& [group, bound] : {std::pair<int64_t, double>{32, 0.0815}, {64, 0.0905}, {128, 0.0975}}) {
    const PackedLayout layout{PackedType::q4, 64, 4096, group};
    const auto values = unpacked(pack(w, layout, layout.k), reference_kernels());
    double error = 0, power = 0;
    for (int64_t i = 0; i < w.count(); ++i) {
      error += std::pow(values[static_cast<size_t>(i)] - w[i], 2);
      power += w[i] * w[i];
    }
    EXPECT_LT(std::sqrt(error / power), bound) << group;
    EXPECT_GT(std::sqrt(error / power), 0.06) << group;
  }
}

TEST(Packed, RowsMatchTheReferenceExactly) {
  Rng rng(3);
  for (const Kind& kind : kKinds) {
    const PackedLayout layout{kind.type, 131, 77, kind.group};
    const Packed packed = normal_weights(rng, layout);
    const std::vector<int32_t> rows = {130, -1, 0, 63, 64, 17, 33, 130};
    for (const DType to : {DType::f32, DType::bf16}) {
      const auto count = static_cast<int64_t>(rows.size());
      const Buffer wanted(count * layout.k, to, 1);
      reference_kernels().unpack_rows({packed.view(), rows.data(), count, wanted.view()});
      for_each_isa([&](const KernelTable& table, const std::string& isa) {
        const Buffer out = Buffer::normal(rng, count * layout.k, to, 1);
        table.unpack_rows({packed.view(), rows.data(), count, out.view()});
        EXPECT_TRUE(out.intact());
        EXPECT_TRUE(out.same_bytes(wanted)) << name_of(layout) << " " << isa;
      });
    }
  }
}

struct Product {
  int64_t m, n, k;
};

void check_product(const Product& p, const Kind& kind, DType from, DType to, bool with_bias, Rng& rng,
                   std::optional<Unary> activation = {}) {
  const PackedLayout layout{kind.type, p.n, p.k, kind.group};
  const Packed packed = normal_weights(rng, layout);
  const int64_t x_stride = p.k + 5, y_stride = p.n + 3;
  const Buffer x = Buffer::normal(rng, p.m * x_stride, from, 1), bias = Buffer::normal(rng, p.n);
  const Buffer start = Buffer::normal(rng, p.m * y_stride, to, 1);
  const auto args = [&](const Buffer& y) {
    return PackedLinearArgs{.m = p.m,
                            .x = x.view(),
                            .x_stride = x_stride,
                            .w = packed.view(),
                            .bias = with_bias ? bias.floats() : nullptr,
                            .activation = activation,
                            .y = y.view(),
                            .y_stride = y_stride};
  };
  const Buffer wanted(p.m * y_stride);
  PackedLinearArgs exact = args(wanted);
  exact.y = wanted.view();
  reference_kernels().packed_linear(exact);
  const double rounding = kind.type == PackedType::bf16 ? 5 * (static_cast<double>(p.k) + 16)
                                                        : 12 * 3 * (std::sqrt(static_cast<double>(p.k)) + 4);
  for_each_isa([&](const KernelTable& table, const std::string& isa) {
    Buffer y(p.m * y_stride, to, 1);
    std::memcpy(y.data(), start.data(), y.size_bytes());
    table.packed_linear(args(y));
    ASSERT_TRUE(y.intact());
    for (int64_t i = 0; i < y.count(); ++i) {
      if (i % y_stride >= p.n) {
        ASSERT_EQ(y[i], start[i]) << isa << ": writes beyond the columns of y";
        continue;
      }
      ASSERT_NEAR(y[i], wanted[i], rounding * 0x1.0p-24 + (to == DType::bf16 ? 0x1.02p-8 * std::abs(wanted[i]) : 0))
          << name_of(layout) << " " << p.m << "x" << p.n << "x" << p.k << " " << name_of(from) << " to " << name_of(to)
          << " " << isa << " at " << i / y_stride << ", " << i % y_stride;
    }
  });
}

TEST(Packed, ProductsMatchTheReferenceOverOddSizes) {
  Rng rng(4);
  constexpr Product kProducts[] = {{1, 1, 1},     {1, 64, 64},   {1, 129, 1000}, {2, 63, 3},
                                   {3, 65, 33},   {5, 17, 66},   {6, 33, 130},   {7, 100, 255},
                                   {13, 31, 257}, {97, 70, 129}, {20, 16, 512},  {3, 70, 0}};
  for (const Product& p : kProducts) {
    for (const Kind& kind : kKinds) {
      check_product(p, kind, DType::f32, DType::f32, true, rng);
      check_product(p, kind, DType::bf16, DType::bf16, false, rng);
      check_product(p, kind, DType::bf16, DType::f32, true, rng);
    }
  }
}

// Several blocks of rows, several panels in one task, K in several chunks.
TEST(Packed, LargeProductsMatchTheReference) {
  Rng rng(5);
  for (const Kind& kind : {kKinds[0], kKinds[2], kKinds[4]}) {
    check_product({200, 200, 2500}, kind, DType::bf16, DType::f32, true, rng);
    check_product({40, 80, 5000}, kind, DType::f32, DType::f32, false, rng);
  }
}

TEST(Packed, ActivationsAreAppliedToTheSums) {
  Rng rng(9);
  for (const Unary activation : {Unary::relu, Unary::gelu_erf, Unary::gelu_tanh, Unary::quick_gelu, Unary::silu}) {
    for (const Kind& kind : {kKinds[0], kKinds[2], kKinds[4]}) {
      check_product({7, 70, 130}, kind, DType::f32, DType::f32, true, rng, activation);
      check_product({100, 70, 130}, kind, DType::bf16, DType::bf16, true, rng, activation);
    }
  }
}

TEST(Packed, NothingDependsOnThreadsOrOnOtherRows) {
  Rng rng(6);
  for (const Kind& kind : kKinds) {
    const PackedLayout layout{kind.type, 300, 1200, kind.group};
    const Packed packed = normal_weights(rng, layout);
    const int64_t rows = 130;
    const Buffer x = Buffer::normal(rng, rows * layout.k, DType::bf16);
    const auto product = [&](const KernelTable& table, int64_t first, int64_t count) {
      Buffer y(count * layout.n);
      table.packed_linear({.m = count,
                           .x = {static_cast<const bf16*>(x.data()) + first * layout.k, DType::bf16},
                           .x_stride = layout.k,
                           .w = packed.view(),
                           .y = y.view(),
                           .y_stride = layout.n});
      return y;
    };
    expect_thread_independent([&](const KernelTable& table) { return product(table, 0, rows); });
    for_each_isa([&](const KernelTable& table, const std::string& isa) {
      const Buffer all = product(table, 0, rows);
      for (const int64_t row : {0, 5, 95, 96, 129}) {
        const Buffer one = product(table, row, 1);
        EXPECT_EQ(std::memcmp(one.data(), all.floats() + row * layout.n, one.size_bytes()), 0) << isa << " " << row;
      }
    });
  }
}

TEST(Packed, BytesDoNotDependOnThreads) {
  Rng rng(7);
  const Buffer w = Buffer::normal(rng, 300 * 200);
  const int outer = thread_count();
  for (const Kind& kind : kKinds) {
    const PackedLayout layout{kind.type, 300, 200, kind.group};
    set_thread_count(1);
    const Packed one = pack(w, layout, 200);
    set_thread_count(3);
    EXPECT_EQ(pack(w, layout, 200).bytes, one.bytes) << name_of(layout);
  }
  set_thread_count(outer);
}

TEST(Packed, WhatIsNotFiniteSpoilsItsResultsOnly) {
  Rng rng(8);
  for (const Kind& kind : kKinds) {
    const PackedLayout layout{kind.type, 70, 300, kind.group};
    for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
      Buffer w = Buffer::normal(rng, layout.n * layout.k), x = Buffer::normal(rng, 9 * layout.k);
      w.set(65 * layout.k + 250, bad);
      x.set(4 * layout.k + 7, bad);
      const Packed packed = pack(w, layout, layout.k);
      for_each_isa([&](const KernelTable& table, const std::string& isa) {
        const Buffer y(9 * layout.n);
        table.packed_linear(
            {.m = 9, .x = x.view(), .x_stride = layout.k, .w = packed.view(), .y = y.view(), .y_stride = layout.n});
        for (int64_t i = 0; i < y.count(); ++i)
          EXPECT_EQ(std::isfinite(y[i]), i / layout.n != 4 && i % layout.n != 65) << name_of(layout) << " " << isa << i;
      });
    }
  }
}

TEST(Packed, LargestValuesDoNotOverflow) {
  for (const Kind& kind : kKinds) {
    if (kind.type == PackedType::bf16) continue;
    const PackedLayout layout{kind.type, 64, 512, kind.group};
    const Buffer w(layout.n * layout.k), x(layout.k);
    std::fill_n(w.floats(), w.count(), -1.0f);
    std::fill_n(x.floats(), x.count(), -1.0f);
    const Packed packed = pack(w, layout, layout.k);
    for_each_isa([&](const KernelTable& table, const std::string& isa) {
      const Buffer y(layout.n);
      table.packed_linear(
          {.m = 1, .x = x.view(), .x_stride = layout.k, .w = packed.view(), .y = y.view(), .y_stride = layout.n});
      for (int64_t i = 0; i < y.count(); ++i) EXPECT_NEAR(y[i], 512.0, 0.5) << name_of(layout) << " " << isa;
    });
  }
}

TEST(Packed, NamesOfTypes) {
  for (const char* name : {"bf16", "q8/128", "q4/64", "q4/32", "q8/640"})
    EXPECT_EQ(name_of(parse_packed_type(name)), name);
  for (const PackedLayout& type : packed_types()) EXPECT_EQ(parse_packed_type(name_of(type)), type);
  EXPECT_EQ(packed_types().size(), 41u);
  EXPECT_EQ(parse_packed_type("q4").group, 64);
  EXPECT_EQ(parse_packed_type("q8").group, 128);
  for (const char* name : {"", "q5", "q4/", "q4/x", "q4/33", "q4/0", "q4/672", "q4/-32", "bf16/64", "q4/64 "})
    EXPECT_THROW(parse_packed_type(name), Error) << name;
  EXPECT_THROW(check_layout({PackedType::q4, -1, 5, 64}), Error);
  EXPECT_THROW(check_layout({PackedType::q4, int64_t{1} << 31, int64_t{1} << 31, 64}), Error);
}

}  // namespace
}  // namespace sensorium::kernels
