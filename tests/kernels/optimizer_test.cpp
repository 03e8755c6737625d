#include "kernels/kernel_check.h"

namespace sensorium::kernels {
namespace {

struct State {
  State(Rng& rng, int64_t count, int64_t offset)
      : parameter(Buffer::normal(rng, count, DType::f32, offset)),
        grad(Buffer::normal(rng, count, DType::f32, offset)),
        m(Buffer::normal(rng, count, DType::f32, offset)),
        v(count, DType::f32, offset),
        ema(Buffer::normal(rng, count, DType::f32, offset)) {
    for (int64_t i = 0; i < count; ++i) v.set(i, std::abs(rng.normal()));
  }
  AdamWArgs args(bool with_ema) const {
    return {.count = parameter.count(),
            .parameter = parameter.floats(),
            .grad = grad.floats(),
            .m = m.floats(),
            .v = v.floats(),
            .ema = with_ema ? ema.floats() : nullptr,
            .learning_rate = 0.01f,
            .weight_decay = 0.1f,
            .grad_scale = 0.5f,
            .ema_decay = 0.99f,
            .step = 3};
  }
  Buffer parameter, grad, m, v, ema;
};

TEST(Optimizer, AdamWMatchesReference) {
  Rng rng(1);
  for (const int64_t count : {1, 15, 17, 100, 70001}) {
    for (const bool with_ema : {false, true}) {
      const State wanted(rng, count, count % 3);
      const State start = wanted;
      reference_kernels().adamw(wanted.args(with_ema));
      for_each_isa([&](const KernelTable& table, const std::string& isa) {
        const State actual = start;
        table.adamw(actual.args(with_ema));
        expect_close(actual.parameter, wanted.parameter, {1e-7, 1e-6}, isa + " parameter");
        expect_close(actual.m, wanted.m, {2e-7, 1e-6}, isa + " m");
        expect_close(actual.v, wanted.v, {1e-7, 1e-6}, isa + " v");
        expect_close(actual.ema, wanted.ema, {2e-7, 1e-6}, isa + " ema");
      });
    }
  }
}

// By hand: from m = v = 0 the first step moves by the learning rate against the gradient's sign, then decays.
TEST(Optimizer, FirstStepIsTheLearningRate) {
  const auto check = [](const KernelTable& table) {
    float parameter[2] = {1.0f, -2.0f}, m[2] = {}, v[2] = {};
    const float grad[2] = {0.3f, -40.0f};
    table.adamw({.count = 2,
                 .parameter = parameter,
                 .grad = grad,
                 .m = m,
                 .v = v,
                 .learning_rate = 0.1f,
                 .weight_decay = 0.5f,
                 .step = 1});
    EXPECT_NEAR(parameter[0], 1.0 - 0.1 * (1 + 0.5 * 1.0), 1e-6);
    EXPECT_NEAR(parameter[1], -2.0 - 0.1 * (-1 + 0.5 * -2.0), 1e-6);
  };
  check(reference_kernels());
  for_each_isa([&](const KernelTable& table, const std::string&) { check(table); });
}

TEST(Optimizer, SumOfSquares) {
  Rng rng(2);
  for (const int64_t count : {0, 1, 7, 8191, 8193, 100000}) {
    const Buffer x = Buffer::normal(rng, count, DType::f32, 1, 1e3);
    const double wanted = reference_kernels().sum_of_squares(x.floats(), count);
    for_each_isa([&](const KernelTable& table, const std::string& isa) {
      EXPECT_NEAR(table.sum_of_squares(x.floats(), count), wanted, 1e-12 * wanted) << isa;
    });
  }
}

TEST(Optimizer, SumOfSquaresDoesNotOverflowAndShowsNan) {
  for_each_isa([](const KernelTable& table, const std::string& isa) {
    std::vector<float> values(100, 3e38f);
    EXPECT_NEAR(table.sum_of_squares(values.data(), 100), 9e78, 1e73) << isa;
    values[57] = std::nanf("");
    EXPECT_TRUE(std::isnan(table.sum_of_squares(values.data(), 100))) << isa;
  });
}

TEST(Optimizer, ThreadCountDoesNotChangeBits) {
  expect_thread_independent([](const KernelTable& table) {
    Rng rng(3);
    const State state(rng, 100001, 1);
    table.adamw(state.args(true));
    const double sum = table.sum_of_squares(state.parameter.floats(), state.parameter.count());
    Buffer result(100003);
    for (int64_t i = 0; i < 100001; ++i) result.set(i, state.parameter[i]);
    std::memcpy(result.floats() + 100001, &sum, sizeof(sum));
    return result;
  });
}

}  // namespace
}  // namespace sensorium::kernels
