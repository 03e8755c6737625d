#include "kernels/kernel_check.h"

namespace sensorium::kernels {
namespace {

TEST(CrossEntropy, MatchesReference) {
  Rng rng(1);
  const int64_t shapes[][2] = {{1, 1}, {5, 2}, {7, 17}, {40, 100}, {3, 8193}};
  for (const auto& [rows, classes] : shapes) {
    for (const DType dtype : kActivationTypes) {
      for (const DType grad_type : kActivationTypes) {
        for (const float smoothing : {0.0f, 0.1f}) {
          const Buffer logits = Buffer::normal(rng, rows * classes, dtype, 1, 5, 100),
                       scale = Buffer::normal(rng, rows);
          std::vector<int32_t> targets;
          for (int64_t i = 0; i < rows; ++i) targets.push_back(static_cast<int32_t>(rng.integer(-1, classes - 1)));
          const Buffer wanted(rows), wanted_grad(rows * classes, grad_type, 1);
          CrossEntropyArgs args{rows,      classes,         logits.view(),      targets.data(),
                                smoothing, wanted.floats(), wanted_grad.view(), scale.floats()};
          reference_kernels().cross_entropy(args);
          for_each_isa([&](const KernelTable& table, const std::string& isa) {
            const std::string what =
                fmt::format("{} {}x{} {} smoothing {}", isa, rows, classes, name_of(dtype), smoothing);
            const Buffer losses(rows), grad(rows * classes, grad_type, 1);
            args.losses = losses.floats();
            args.grad = grad.view();
            table.cross_entropy(args);
            // Logits are about 100: their f32 representation alone is good to 4e-6.
            expect_close(losses, wanted, {4e-5, 2e-6}, what);
            expect_close(grad, wanted_grad, {1e-6, 1e-5}, what + " gradient");
            args.grad = {};
            args.row_scale = nullptr;
            const Buffer alone(rows);
            args.losses = alone.floats();
            table.cross_entropy(args);
            EXPECT_TRUE(alone.same_bytes(losses)) << what << ": the losses depend on the gradient's presence";
            args.row_scale = scale.floats();
          });
        }
      }
    }
  }
}

TEST(CrossEntropy, IgnoredRowsAndLargeLogits) {
  for_each_isa([](const KernelTable& table, const std::string& isa) {
    Buffer logits(3 * 4);
    for (int64_t i = 0; i < 12; ++i) logits.set(i, i % 4 == 0 ? 1e30 : -1e30);
    const std::vector<int32_t> targets = {0, -1, 0};
    Rng rng(2);
    const Buffer losses(3), grad = Buffer::normal(rng, 12);
    table.cross_entropy({3, 4, logits.view(), targets.data(), 0.0f, losses.floats(), grad.view(), nullptr});
    for (int64_t i = 0; i < 12; ++i) EXPECT_EQ(grad[i], 0) << isa << " element " << i;
    for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(losses[i], 0) << isa << " row " << i;
  });
}

TEST(CrossEntropy, NanStaysVisible) {
  for_each_isa([](const KernelTable& table, const std::string& isa) {
    Rng rng(3);
    Buffer logits = Buffer::normal(rng, 40);
    logits.set(29, std::nan(""));
    const std::vector<int32_t> targets = {3};
    const Buffer losses(1);
    table.cross_entropy({1, 40, logits.view(), targets.data(), 0.0f, losses.floats(), {}, nullptr});
    EXPECT_TRUE(std::isnan(losses[0])) << isa;
  });
}

TEST(CrossEntropy, TargetsOutsideAreRefused) {
  const Buffer logits(2 * 4), losses(2);
  for (const int32_t target : {4, -2}) {
    const std::vector<int32_t> targets = {0, target};
    const CrossEntropyArgs args{2, 4, logits.view(), targets.data(), 0.0f, losses.floats(), {}, nullptr};
    EXPECT_THROW(reference_kernels().cross_entropy(args), Error);
    for_each_isa([&](const KernelTable& table, const std::string&) { EXPECT_THROW(table.cross_entropy(args), Error); });
  }
}

TEST(CrossEntropy, ReferenceGradientMatchesDifferences) {
  Rng rng(4);
  Buffer logits = Buffer::normal(rng, 3 * 5);
  const Buffer weights = Buffer::normal(rng, 3), grad(15);
  const std::vector<int32_t> targets = {4, -1, 2};
  for (const float smoothing : {0.0f, 0.2f}) {
    const auto run = [&] {
      const Buffer losses(3);
      reference_kernels().cross_entropy(
          {3, 5, logits.view(), targets.data(), smoothing, losses.floats(), grad.view(), weights.floats()});
      return losses;
    };
    const auto wanted = numeric_gradient(logits, weights, 1e-2, run);
    run();
    expect_gradient(grad, wanted, 1e-3, "logits");
  }
}

TEST(CrossEntropy, ThreadCountDoesNotChangeBits) {
  expect_thread_independent([](const KernelTable& table) {
    Rng rng(5);
    const Buffer logits = Buffer::normal(rng, 200 * 333), losses(200), grad(200 * 333);
    const std::vector<int32_t> targets(200, 7);
    table.cross_entropy({200, 333, logits.view(), targets.data(), 0.1f, losses.floats(), grad.view(), nullptr});
    return grad;
  });
}

}  // namespace
}  // namespace sensorium::kernels
