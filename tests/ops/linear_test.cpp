#include "ops/check.h"

namespace sensorium {
namespace {

using namespace testing;

Tensor linear_of(const std::vector<Tensor>& in) { return ops::linear(in[0], in[1], in[2]); }

std::vector<float> naive_linear(const Tensor& x, const Tensor& w, const Tensor& b) {
  std::vector<float> y;
  for (int64_t r = 0; r < x.dim(0); ++r) {
    for (int64_t n = 0; n < w.dim(0); ++n) {
      double sum = b.defined() ? b.data<float>()[n] : 0;
      for (int64_t k = 0; k < x.dim(1); ++k)
        sum += double{x.data<float>()[r * x.dim(1) + k]} * w.data<float>()[n * x.dim(1) + k];
      y.push_back(static_cast<float>(sum));
    }
  }
  return y;
}

TEST(Linear, EqualsPlainLoopsAtOddSizes) {
  for (const auto& [rows, in, out] :
       {std::array<int64_t, 3>{1, 1, 1}, {3, 5, 7}, {17, 33, 9}, {64, 48, 65}, {1, 130, 31}}) {
    const Tensor x = random_tensor({rows, in}, 1), w = random_tensor({out, in}, 2), b = random_tensor({out}, 3);
    expect_values(ops::linear(x, w, b), naive_linear(x, w, b), 1e-4f);
    expect_values(ops::linear(x, w), naive_linear(x, w, {}), 1e-4f);
  }
}

TEST(Linear, Gradients) {
  check_gradients(linear_of, {random_tensor({5, 7}, 1), random_tensor({3, 7}, 2), random_tensor({3}, 3)});
  check_gradients(linear_of, {random_tensor({19, 33}, 1), random_tensor({21, 33}, 2), Tensor()});
}

TEST(Linear, Bf16AgreesWithF32) {
  check_bf16(linear_of, {random_tensor({40, 64}, 1), random_tensor({24, 64}, 2, 0.1f), random_tensor({24}, 3)}, 1);
  check_bf16(linear_of, {random_tensor({40, 64}, 1), random_tensor({24, 64}, 2, 0.1f), random_tensor({24}, 3)}, 2);
}

TEST(Linear, NoRowsGiveZeroGradients) {
  Tensor x = Tensor::zeros({0, 4}), w = random_tensor({3, 4}, 1), b = random_tensor({3}, 2);
  w.set_requires_grad(true);
  b.set_requires_grad(true);
  const Tensor y = ops::linear(x, w, b);
  EXPECT_EQ(y.shape(), Shape({0, 3}));
  backward(ops::mean(ops::concat_rows({y, Tensor::zeros({1, 3})})));
  EXPECT_EQ(w.grad().to_floats(), std::vector<float>(12, 0.0f));
  EXPECT_EQ(b.grad().to_floats(), std::vector<float>(3, 0.0f));
}

TEST(Linear, FrozenWeightsIn16BitsAndFrozenInputs) {
  const Tensor w = random_tensor({6, 10}, 2), b = random_tensor({6}, 3);
  Tensor x = random_tensor({4, 10}, 1);
  x.set_requires_grad(true);
  const Tensor y = ops::linear(x, w.to(DType::bf16), b.to(DType::bf16));
  EXPECT_LT(relative_error(y, ops::linear(x, w, b)), 0.01);
  backward_mixed(y);
  EXPECT_TRUE(x.grad().defined());
  EXPECT_FALSE(w.grad().defined());
}

TEST(Linear, RefusesWhatDoesNotFit) {
  const Tensor x = Tensor::zeros({2, 3}), w = Tensor::zeros({4, 3});
  expect_error(ErrorKind::shape, [&] { ops::linear(x, Tensor::zeros({4, 2})); });
  expect_error(ErrorKind::shape, [&] { ops::linear(x, w, Tensor::zeros({3})); });
  expect_error(ErrorKind::shape, [&] { ops::linear(Tensor::zeros({2, 2, 3}), w); });
  expect_error(ErrorKind::shape, [&] { ops::linear(x, Tensor::zeros({4, 3}, DType::i8)); });
  expect_error(ErrorKind::shape, [&] { ops::linear(Tensor::zeros({2, 3}, DType::i32), w); });
  expect_error(ErrorKind::shape, [&] { ops::linear(Tensor(), w); });
}

}  // namespace
}  // namespace sensorium
