#include "kernels/kv_rows.h"

#include <cmath>

#include "kernels/kernel_check.h"
#include "kernels/ref/ref.h"

namespace sensorium::kernels {
namespace {

constexpr int64_t kPageRows = 64;

// A page that rows are written into; the rest keeps its pattern.
struct Page {
  std::vector<char> bytes;
  std::vector<float> scales;
  Page(int64_t heads, int64_t head_dim)
      : bytes(static_cast<size_t>(heads * kPageRows * head_dim) * 4, 0x3C),
        scales(static_cast<size_t>(heads * kPageRows), -1.0f) {}
};

TEST(StoreKvRows, EveryInstructionSetEqualsReference) {
  Rng rng(1);
  for (const int64_t head_dim : {8, 24, 64, 80, 256}) {
    for (const DType from : {DType::f32, DType::bf16}) {
      for (const DType to : {DType::f32, DType::bf16, DType::f16, DType::i8}) {
        const int64_t heads = 3, rows = 37, stride = heads * head_dim + 5;
        std::vector<char> x(static_cast<size_t>(rows * stride) * 4);
        for (int64_t i = 0; i < rows * stride; ++i) ref::set({x.data(), from}, i, 3 * rng.normal());
        for (int64_t d = 0; d < head_dim; ++d) ref::set({x.data(), from}, 5 * stride + d, 0.0);  // a row of zeros
        const auto run = [&](const KernelTable& table) {
          Page page(heads, head_dim);
          table.store_kv_rows({.rows = rows,
                               .heads = heads,
                               .head_dim = head_dim,
                               .x = {x.data(), from},
                               .x_row_stride = stride,
                               .page = {page.bytes.data(), to},
                               .scales = page.scales.data(),
                               .page_rows = kPageRows,
                               .first = 11});
          return page;
        };
        const Page want = run(reference_kernels());
        for_each_isa([&](const KernelTable& table, const std::string& isa) {
          const Page got = run(table);
          EXPECT_EQ(got.bytes, want.bytes) << isa << " " << name_of(from) << " to " << name_of(to) << " " << head_dim;
          EXPECT_EQ(got.scales, want.scales) << isa;
        });
        if (to != DType::i8) continue;
        EXPECT_EQ(want.scales[10], -1.0f);
        EXPECT_EQ(want.scales[11 + 5], 0.0f);
        EXPECT_GT(want.scales[11], 0.0f);
      }
    }
  }
}

TEST(StoreKvRows, WhatIsNoNumberTakesItsRow) {
  for_each_isa([&](const KernelTable& table, const std::string& isa) {
    for (const float bad : {std::nanf(""), INFINITY}) {
      std::vector<float> x(2 * 8, 1.0f);
      x[3] = bad;
      Page page(1, 8);
      table.store_kv_rows({.rows = 2,
                           .heads = 1,
                           .head_dim = 8,
                           .x = {x.data(), DType::f32},
                           .x_row_stride = 8,
                           .page = {page.bytes.data(), DType::i8},
                           .scales = page.scales.data(),
                           .page_rows = kPageRows});
      EXPECT_TRUE(std::isnan(page.scales[0])) << isa;
      EXPECT_EQ(page.scales[1], 1.0f / 127.0f) << isa;
    }
  });
}

}  // namespace
}  // namespace sensorium::kernels
