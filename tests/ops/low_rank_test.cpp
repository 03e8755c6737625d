#include "ops/check.h"

namespace sensorium {
namespace {

using namespace testing;

constexpr float kScale = 1.7f;

// A copy of y first: add_low_rank() takes its argument's memory.
Tensor changed(const std::vector<Tensor>& in, int64_t column) {
  return ops::add_low_rank(ops::scale(in[0], 1.0f), in[1], in[2], in[3], column, kScale);
}

TEST(LowRank, EqualsTwoLinearMaps) {
  for (const auto& [rows, in, rank, out, width, column] :
       {std::array<int64_t, 6>{1, 1, 1, 1, 1, 0}, {5, 7, 3, 4, 9, 2}, {33, 40, 16, 24, 72, 48}}) {
    const Tensor y = random_tensor({rows, width}, 1), x = random_tensor({rows, in}, 2);
    const Tensor a = random_tensor({rank, in}, 3), b = random_tensor({out, rank}, 4);
    const std::vector<float> change = ops::linear(ops::linear(x, a), b).to_floats();
    std::vector<float> expected = y.to_floats();
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < out; ++c) {
        expected[static_cast<size_t>(r * width + column + c)] += kScale * change[static_cast<size_t>(r * out + c)];
      }
    }
    expect_values(changed({y, x, a, b}, column), expected, 1e-4f);
  }
}

TEST(LowRank, Gradients) {
  for (const int64_t column : {0, 4}) {
    check_gradients(
        [column](const std::vector<Tensor>& in) { return changed(in, column); },
        {random_tensor({6, 9}, 1), random_tensor({6, 7}, 2), random_tensor({3, 7}, 3), random_tensor({5, 3}, 4)});
  }
}

TEST(LowRank, Bf16AgreesWithF32) {
  check_bf16([](const std::vector<Tensor>& in) { return changed(in, 8); },
             {random_tensor({24, 40}, 1), random_tensor({24, 48}, 2), random_tensor({8, 48}, 3, 0.2f),
              random_tensor({32, 8}, 4, 0.2f)},
             2);
}

TEST(LowRank, NoRowsGiveZeroGradients) {
  Tensor a = random_tensor({2, 4}, 1), b = random_tensor({3, 2}, 2);
  a.set_requires_grad(true);
  b.set_requires_grad(true);
  const Tensor y = ops::add_low_rank(Tensor::zeros({0, 3}), Tensor::zeros({0, 4}), a, b, 0, 1.0f);
  backward(ops::mean(ops::concat_rows({y, Tensor::zeros({1, 3})})));
  EXPECT_EQ(a.grad().to_floats(), std::vector<float>(8, 0.0f));
  EXPECT_EQ(b.grad().to_floats(), std::vector<float>(6, 0.0f));
}

TEST(LowRank, RefusesWhatDoesNotFit) {
  const Tensor y = Tensor::zeros({2, 6}), x = Tensor::zeros({2, 3}), a = Tensor::zeros({4, 3});
  const Tensor b = Tensor::zeros({5, 4});
  expect_error(ErrorKind::shape, [&] { ops::add_low_rank(y, x, a, b, 2, 1); });
  expect_error(ErrorKind::shape, [&] { ops::add_low_rank(y, x, a, Tensor::zeros({5, 3}), 0, 1); });
  expect_error(ErrorKind::shape, [&] { ops::add_low_rank(y, x, Tensor::zeros({4, 2}), b, 0, 1); });
  expect_error(ErrorKind::shape, [&] { ops::add_low_rank(Tensor::zeros({3, 6}), x, a, b, 0, 1); });
  expect_error(ErrorKind::shape, [&] { ops::add_low_rank(y.to(DType::bf16), x, a, b, 0, 1); });
}

}  // namespace
}  // namespace sensorium
