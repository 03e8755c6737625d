#include "kernels/kernel_check.h"

namespace sensorium::kernels {
namespace {

struct RowsShape {
  int64_t rows, cols, other_rows;
};
constexpr RowsShape kShapes[] = {{1, 1, 1}, {5, 3, 4}, {70, 17, 9}, {300, 129, 40}, {9, 1000, 500}};

std::vector<int32_t> indices(Rng& rng, const RowsShape& s) {
  std::vector<int32_t> index;
  for (int64_t i = 0; i < s.rows; ++i) index.push_back(static_cast<int32_t>(rng.integer(-1, s.other_rows - 1)));
  return index;
}

TEST(Rows, GatherMatchesReferenceExactly) {
  Rng rng(1);
  for (const RowsShape& s : kShapes) {
    const auto index = indices(rng, s);
    for (const DType from : kActivationTypes) {
      for (const DType to : kActivationTypes) {
        const Buffer x = Buffer::normal(rng, s.other_rows * s.cols, from, 1), wanted(s.rows * s.cols, to, 1);
        reference_kernels().gather_rows({s.rows, s.cols, index.data(), s.other_rows, x.view(), wanted.view()});
        for_each_isa([&](const KernelTable& table, const std::string& isa) {
          const Buffer y = Buffer::normal(rng, s.rows * s.cols, to, 1);
          table.gather_rows({s.rows, s.cols, index.data(), s.other_rows, x.view(), y.view()});
          EXPECT_TRUE(y.intact());
          EXPECT_TRUE(y.same_bytes(wanted)) << isa << " " << name_of(from) << " to " << name_of(to);
        });
      }
    }
  }
}

TEST(Rows, ScatterAddMatchesReference) {
  Rng rng(2);
  for (const RowsShape& s : kShapes) {
    const auto index = indices(rng, s);
    for (const DType from : kActivationTypes) {
      for (const DType to : kActivationTypes) {
        const Buffer x = Buffer::normal(rng, s.rows * s.cols, from, 1),
                     start = Buffer::normal(rng, s.other_rows * s.cols, to, 1);
        const Buffer wanted = start;
        reference_kernels().scatter_add_rows({s.rows, s.cols, index.data(), s.other_rows, x.view(), wanted.view()});
        for_each_isa([&](const KernelTable& table, const std::string& isa) {
          const Buffer y = start;
          table.scatter_add_rows({s.rows, s.cols, index.data(), s.other_rows, x.view(), y.view()});
          // bf16 sums round at every addition, in both.
          expect_close(y, wanted, {to == DType::bf16 ? 0.02 : 1e-6, 1e-6}, isa);
        });
      }
    }
  }
}

TEST(Rows, IndicesOutsideAreRefused) {
  const std::vector<std::vector<int32_t>> bad = {{0, 3}, {-2, 0}, {2147483647, 0}};
  const Buffer x(2 * 4), y(2 * 4);
  const auto expect_error = [&](const KernelTable& table) {
    for (const auto& index : bad) {
      for (const auto entry : {&KernelTable::gather_rows, &KernelTable::scatter_add_rows}) {
        try {
          (table.*entry)({2, 4, index.data(), 2, x.view(), y.view()});
          FAIL() << "no error for index " << index[0] << ", " << index[1];
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::shape);
        }
      }
    }
  };
  expect_error(reference_kernels());
  for_each_isa([&](const KernelTable& table, const std::string&) { expect_error(table); });
}

TEST(Rows, SegmentMeanMatchesReference) {
  Rng rng(3);
  const std::vector<std::vector<int64_t>> segments = {{0, 1}, {0, 0, 3, 3}, {2, 9, 200}, {0, 1000}};
  for (const auto& offsets : segments) {
    for (const int64_t cols : {1, 19, 260}) {
      for (const DType dtype : kActivationTypes) {
        const auto count = static_cast<int64_t>(offsets.size() - 1);
        const Buffer x = Buffer::normal(rng, offsets.back() * cols, dtype, 1), wanted(count * cols, dtype, 1);
        reference_kernels().segment_mean({offsets, cols, x.view(), wanted.view()});
        for_each_isa([&](const KernelTable& table, const std::string& isa) {
          const Buffer y = Buffer::normal(rng, count * cols, dtype, 1);
          table.segment_mean({offsets, cols, x.view(), y.view()});
          expect_close(y, wanted, {1e-6, 1e-6}, isa);
        });
      }
    }
  }
}

TEST(Rows, ColumnSumAddsToWhatIsThere) {
  Rng rng(4);
  const int64_t shapes[][2] = {{0, 5}, {1, 1}, {3, 17}, {700, 33}, {5000, 4}, {260, 515}};
  for (const auto& [rows, cols] : shapes) {
    for (const DType dtype : kActivationTypes) {
      const Buffer x = Buffer::normal(rng, rows * cols, dtype, 1), start = Buffer::normal(rng, cols, DType::f32, 1);
      const Buffer wanted = start;
      reference_kernels().column_sum({rows, cols, x.view(), wanted.floats()});
      for_each_isa([&](const KernelTable& table, const std::string& isa) {
        const Buffer out = start;
        table.column_sum({rows, cols, x.view(), out.floats()});
        // f32 sums of standard normals: a rounding of each partial sum, which is about sqrt(rows).
        expect_close(out, wanted, {1e-6 * (1 + std::sqrt(static_cast<double>(rows))), 1e-6}, isa);
      });
    }
  }
}

TEST(Rows, ThreadCountDoesNotChangeBits) {
  expect_thread_independent([](const KernelTable& table) {
    Rng rng(5);
    const Buffer x = Buffer::normal(rng, 3000 * 70), out(70);
    table.column_sum({3000, 70, x.view(), out.floats()});
    return out;
  });
  expect_thread_independent([](const KernelTable& table) {
    Rng rng(6);
    const Buffer x = Buffer::normal(rng, 900 * 300), y(7 * 300);
    std::vector<int32_t> index;
    for (int i = 0; i < 900; ++i) index.push_back(static_cast<int32_t>(rng.below(7)));
    table.scatter_add_rows({900, 300, index.data(), 7, x.view(), y.view()});
    return y;
  });
  expect_thread_independent([](const KernelTable& table) {
    Rng rng(7);
    const Buffer x = Buffer::normal(rng, 900 * 300), y(3 * 300);
    const std::vector<int64_t> offsets = {0, 10, 700, 900};
    table.segment_mean({offsets, 300, x.view(), y.view()});
    return y;
  });
}

}  // namespace
}  // namespace sensorium::kernels
