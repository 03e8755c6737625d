#include <numeric>

#include "kernels/kernel_check.h"

namespace sensorium::kernels {
namespace {

using RowNorm = void (*KernelTable::*)(const RowNormArgs&);
using RowNormBackward = void (*KernelTable::*)(const RowNormBackwardArgs&);

// Rows and columns below, at and above the widths of vectors and blocks.
constexpr int64_t kShapes[][2] = {{1, 1}, {3, 7}, {5, 16}, {2, 31}, {67, 33}, {130, 100}, {9, 384}, {3, 1027}};

struct RowNormCase {
  RowNormCase(Rng& rng, int64_t row_count, int64_t col_count, DType dtype, int64_t offset)
      : rows(row_count),
        cols(col_count),
        x(Buffer::normal(rng, rows * cols, dtype, offset, 2, 0.5)),
        dy(Buffer::normal(rng, rows * cols, dtype, offset)),
        weight(Buffer::normal(rng, cols, DType::f32, offset)),
        bias(Buffer::normal(rng, cols, DType::f32, offset)),
        y(rows * cols, dtype, offset),
        dx(rows * cols, dtype, offset),
        mean(rows),
        inverse_std(rows),
        grad_weight(Buffer::normal(rng, cols, DType::f32, offset)),
        grad_bias(Buffer::normal(rng, cols, DType::f32, offset)) {}

  RowNormArgs forward() const {
    return {.rows = rows,
            .cols = cols,
            .x = x.view(),
            .weight = weight.floats(),
            .bias = bias.floats(),
            .y = y.view(),
            .mean = mean.floats(),
            .inverse_std = inverse_std.floats()};
  }
  RowNormBackwardArgs backward() const {
    return {.forward = forward(),
            .grad_y = dy.view(),
            .grad_x = dx.view(),
            .grad_weight = grad_weight.floats(),
            .grad_bias = grad_bias.floats()};
  }

  int64_t rows, cols;
  Buffer x, dy, weight, bias, y, dx, mean, inverse_std, grad_weight, grad_bias;
};

void compare_row_norm(RowNorm forward, RowNormBackward backward, const std::string& name) {
  Rng rng(1);
  for (const auto& [rows, cols] : kShapes) {
    for (const DType dtype : kActivationTypes) {
      for (const int64_t offset : {0, 1, 3}) {
        const RowNormCase wanted(rng, rows, cols, dtype, offset);
        RowNormCase start = wanted;
        (reference_kernels().*forward)(wanted.forward());
        (reference_kernels().*backward)(wanted.backward());
        for_each_isa([&](const KernelTable& table, const std::string& isa) {
          const std::string what = fmt::format("{} {} {} {}x{}+{}", name, isa, name_of(dtype), rows, cols, offset);
          const RowNormCase actual = start;
          (table.*forward)(actual.forward());
          expect_close(actual.y, wanted.y, {1e-6, 4e-6}, what);
          expect_close(actual.inverse_std, wanted.inverse_std, {0, 1e-6}, what + " 1/std");
          expect_close(actual.mean, wanted.mean, {1e-6, 1e-6}, what + " mean");
          std::memcpy(actual.mean.data(), wanted.mean.data(), actual.mean.size_bytes());
          std::memcpy(actual.inverse_std.data(), wanted.inverse_std.data(), actual.mean.size_bytes());
          (table.*backward)(actual.backward());
          const double scale = cols == 1 ? 1e3 : 1;  // 1/std of one column is 1/sqrt(eps)
          expect_close(actual.dx, wanted.dx, {scale * 4e-6, 4e-6}, what + " dx");
          const double sums = 2e-7 * std::sqrt(static_cast<double>(rows)) + 1e-6;
          expect_close(actual.grad_weight, wanted.grad_weight, {4 * sums, sums}, what + " dw");
          expect_close(actual.grad_bias, wanted.grad_bias, {4 * sums, sums}, what + " db");
        });
      }
    }
  }
}

TEST(Norm, RmsNormMatchesReference) {
  compare_row_norm(&KernelTable::rms_norm, &KernelTable::rms_norm_backward, "rms_norm");
}

TEST(Norm, LayerNormMatchesReference) {
  compare_row_norm(&KernelTable::layer_norm, &KernelTable::layer_norm_backward, "layer_norm");
}

TEST(Norm, LayerNormWithoutBiasAndStatistics) {
  for_each_isa([](const KernelTable& table, const std::string& isa) {
    Rng rng(2);
    const RowNormCase one(rng, 5, 19, DType::f32, 1);
    RowNormArgs args = one.forward();
    args.bias = nullptr;
    args.mean = args.inverse_std = nullptr;
    table.layer_norm(args);
    const Buffer y = one.y;
    reference_kernels().layer_norm(args);
    expect_close(y, one.y, {1e-6, 4e-6}, isa);
  });
}

// The variance must not be computed as E[x^2] - E[x]^2: the mean is 4000 times the deviation here.
TEST(Norm, LargeMeanKeepsPrecision) {
  for_each_isa([](const KernelTable& table, const std::string& isa) {
    Rng rng(3);
    RowNormCase one(rng, 4, 257, DType::f32, 0);
    for (int64_t i = 0; i < one.x.count(); ++i) one.x.set(i, 1000 + 0.25 * rng.normal());
    table.layer_norm(one.forward());
    const Buffer y = one.y;
    reference_kernels().layer_norm(one.forward());
    expect_close(y, one.y, {2e-3, 2e-3}, isa);
  });
}

TEST(Norm, ReferenceRowGradientsMatchDifferences) {
  Rng rng(4);
  for (const bool centre : {false, true}) {
    const auto forward = centre ? &KernelTable::layer_norm : &KernelTable::rms_norm;
    const auto backward = centre ? &KernelTable::layer_norm_backward : &KernelTable::rms_norm_backward;
    RowNormCase one(rng, 3, 5, DType::f32, 0);
    const auto run = [&] {
      (reference_kernels().*forward)(one.forward());
      return one.y;
    };
    const auto dx = numeric_gradient(one.x, one.dy, 1e-2, run);
    auto dw = numeric_gradient(one.weight, one.dy, 1e-2, run), db = numeric_gradient(one.bias, one.dy, 1e-2, run);
    for (size_t c = 0; c < dw.size(); ++c) {  // gradients of parameters are added
      dw[c] += one.grad_weight[static_cast<int64_t>(c)];
      db[c] += one.grad_bias[static_cast<int64_t>(c)];
    }
    run();
    (reference_kernels().*backward)(one.backward());
    expect_gradient(one.dx, dx, 2e-3, "dx");
    expect_gradient(one.grad_weight, dw, 1e-3, "dw");
    if (centre) expect_gradient(one.grad_bias, db, 1e-3, "db");
  }
}

struct GroupNormCase {
  GroupNormCase(Rng& rng, std::vector<int64_t> picture_offsets, int64_t width, int64_t group_count, DType dtype,
                int64_t offset, NormActivation following)
      : offsets(std::move(picture_offsets)),
        channels(width),
        groups(group_count),
        activation(following),
        x(Buffer::normal(rng, offsets.back() * channels, dtype, offset, 2, 3)),
        dy(Buffer::normal(rng, offsets.back() * channels, dtype, offset)),
        weight(Buffer::normal(rng, channels, DType::f32, offset)),
        bias(Buffer::normal(rng, channels, DType::f32, offset)),
        y(offsets.back() * channels, dtype, offset),
        dx(offsets.back() * channels, dtype, offset),
        mean(static_cast<int64_t>(offsets.size() - 1) * groups),
        inverse_std(mean.count()),
        grad_weight(Buffer::normal(rng, channels)),
        grad_bias(Buffer::normal(rng, channels)) {}

  GroupNormArgs forward() const {
    return {.offsets = offsets,
            .channels = channels,
            .groups = groups,
            .x = x.view(),
            .weight = weight.floats(),
            .bias = bias.floats(),
            .activation = activation,
            .y = y.view(),
            .mean = mean.floats(),
            .inverse_std = inverse_std.floats()};
  }
  GroupNormBackwardArgs backward() const {
    return {.forward = forward(),
            .grad_y = dy.view(),
            .grad_x = dx.view(),
            .grad_weight = grad_weight.floats(),
            .grad_bias = grad_bias.floats()};
  }

  std::vector<int64_t> offsets;
  int64_t channels, groups;
  NormActivation activation;
  Buffer x, dy, weight, bias, y, dx, mean, inverse_std, grad_weight, grad_bias;
};

TEST(Norm, GroupNormMatchesReference) {
  Rng rng(5);
  const std::vector<std::vector<int64_t>> pictures = {{0, 1}, {0, 6, 6, 41}, {0, 300, 1900}};
  const int64_t widths[][2] = {{1, 1}, {6, 3}, {32, 8}, {48, 1}, {65, 5}};
  for (const auto& offsets : pictures) {
    for (const auto& [channels, groups] : widths) {
      for (const DType dtype : kActivationTypes) {
        for (const NormActivation activation : {NormActivation::none, NormActivation::relu, NormActivation::silu}) {
          const GroupNormCase wanted(rng, offsets, channels, groups, dtype, 1, activation);
          const GroupNormCase start = wanted;
          reference_kernels().group_norm(wanted.forward());
          reference_kernels().group_norm_backward(wanted.backward());
          for_each_isa([&](const KernelTable& table, const std::string& isa) {
            const std::string what =
                fmt::format("{} {} {} rows, {} channels, {} groups, activation {}", isa, name_of(dtype), offsets.back(),
                            channels, groups, static_cast<int>(activation));
            const GroupNormCase actual = start;
            table.group_norm(actual.forward());
            // One element in a group: its deviation from the mean is 0, and so must the result's be.
            expect_close(actual.y, wanted.y, {4e-6, 8e-6}, what);
            std::memcpy(actual.mean.data(), wanted.mean.data(), actual.mean.size_bytes());
            std::memcpy(actual.inverse_std.data(), wanted.inverse_std.data(), actual.mean.size_bytes());
            table.group_norm_backward(actual.backward());
            const double scale = offsets[1] * channels / groups == 1 ? 300 : 1;
            expect_close(actual.dx, wanted.dx, {scale * 1e-5, 1e-5}, what + " dx");
            expect_close(actual.grad_weight, wanted.grad_weight, {1e-4, 1e-5}, what + " dw");
            expect_close(actual.grad_bias, wanted.grad_bias, {1e-4, 1e-5}, what + " db");
          });
        }
      }
    }
  }
}

TEST(Norm, ReferenceGroupGradientsMatchDifferences) {
  Rng rng(6);
  for (const NormActivation activation : {NormActivation::none, NormActivation::silu}) {
    GroupNormCase one(rng, {0, 2, 5}, 4, 2, DType::f32, 0, activation);
    const auto run = [&] {
      reference_kernels().group_norm(one.forward());
      return one.y;
    };
    const auto dx = numeric_gradient(one.x, one.dy, 1e-2, run);
    auto dw = numeric_gradient(one.weight, one.dy, 1e-2, run), db = numeric_gradient(one.bias, one.dy, 1e-2, run);
    for (size_t c = 0; c < dw.size(); ++c) {
      dw[c] += one.grad_weight[static_cast<int64_t>(c)];
      db[c] += one.grad_bias[static_cast<int64_t>(c)];
    }
    run();
    reference_kernels().group_norm_backward(one.backward());
    expect_gradient(one.dx, dx, 2e-3, "dx");
    expect_gradient(one.grad_weight, dw, 2e-3, "dw");
    expect_gradient(one.grad_bias, db, 2e-3, "db");
  }
}

TEST(Norm, ThreadCountDoesNotChangeBits) {
  expect_thread_independent([](const KernelTable& table) {
    Rng rng(7);
    RowNormCase one(rng, 1000, 129, DType::f32, 1);
    table.layer_norm(one.forward());
    table.layer_norm_backward(one.backward());
    return one.grad_weight;
  });
  expect_thread_independent([](const KernelTable& table) {
    Rng rng(8);
    RowNormCase one(rng, 1000, 129, DType::bf16, 1);
    table.rms_norm(one.forward());
    table.rms_norm_backward(one.backward());
    return one.grad_weight;
  });
  for (const bool backward : {false, true}) {
    expect_thread_independent([backward](const KernelTable& table) {
      Rng rng(9);
      GroupNormCase one(rng, {0, 500, 2000, 2100}, 48, 8, DType::f32, 1, NormActivation::silu);
      table.group_norm(one.forward());
      if (!backward) return one.y;
      table.group_norm_backward(one.backward());
      return one.grad_weight;
    });
  }
}

}  // namespace
}  // namespace sensorium::kernels
