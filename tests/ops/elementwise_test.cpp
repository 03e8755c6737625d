#include "ops/check.h"

namespace sensorium {
namespace {

using namespace testing;
using kernels::Unary;

TEST(Add, ValuesAndGradients) {
  const Tensor a = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3}), b = Tensor::from<float>({10, 20, 30}, {3});
  expect_values(ops::add(a, b), {11, 22, 33, 14, 25, 36});
  expect_values(ops::add(a, a, 2, -1), {1, 2, 3, 4, 5, 6});
  expect_values(ops::add(a, b, 0.5f, 0.1f), {1.5f, 3, 4.5f, 3, 4.5f, 6});
  const auto add = [](const std::vector<Tensor>& in) { return ops::add(in[0], in[1]); };
  const auto add_scaled = [](const std::vector<Tensor>& in) { return ops::add(in[0], in[1], 0.5f, -3.0f); };
  for (const Function& f : {Function(add), Function(add_scaled)}) {
    check_gradients(f, {random_tensor({5, 9}, 1), random_tensor({5, 9}, 2)});
    check_gradients(f, {random_tensor({5, 9}, 1), random_tensor({9}, 2)});
    check_gradients(f, {random_tensor({2, 3, 9}, 1), random_tensor({9}, 2)});
    check_bf16(f, {random_tensor({40, 9}, 1), random_tensor({40, 9}, 2)}, 2);
    check_bf16(f, {random_tensor({40, 9}, 1), random_tensor({9}, 2)}, 1);
  }
  expect_error(ErrorKind::shape, [&] { ops::add(a, Tensor::zeros({2})); });
  expect_error(ErrorKind::shape, [&] { ops::add(b, a); });
}

TEST(Add, OneTensorTwice) {
  check_gradients([](const std::vector<Tensor>& in) { return ops::add(in[0], in[0], 2.0f, 0.5f); },
                  {random_tensor({3, 4}, 1)});
}

TEST(Multiply, ValuesAndGradients) {
  const Tensor a = Tensor::from<float>({1, 2, 3, 4}, {2, 2}), b = Tensor::from<float>({10, -1}, {2});
  expect_values(ops::multiply(a, b), {10, -2, 30, -4});
  expect_values(ops::multiply(a, a), {1, 4, 9, 16});
  const auto multiply = [](const std::vector<Tensor>& in) { return ops::multiply(in[0], in[1]); };
  check_gradients(multiply, {random_tensor({5, 9}, 1), random_tensor({5, 9}, 2)});
  check_gradients(multiply, {random_tensor({5, 9}, 1), random_tensor({9}, 2)});
  check_bf16(multiply, {random_tensor({40, 9}, 1), random_tensor({40, 9}, 2)}, 2);
  check_bf16(multiply, {random_tensor({40, 9}, 1), random_tensor({9}, 2)}, 1);
  expect_error(ErrorKind::shape, [&] { ops::multiply(a, Tensor::zeros({4})); });
}

TEST(Scale, ValuesAndGradients) {
  expect_values(ops::scale(Tensor::from<float>({1, -2, 0.5f}, {3}), 3), {3, -6, 1.5f});
  check_gradients([](const std::vector<Tensor>& in) { return ops::scale(in[0], -1.7f); }, {random_tensor({7}, 1)});
}

TEST(ScaleRows, ValuesAndGradients) {
  const Tensor factors = Tensor::from<float>({0, 2, -1}, {3});
  expect_values(ops::scale_rows(Tensor::from<float>({1, 2, 3, 4, 5, 6}, {3, 2}), factors), {0, 0, 6, 8, -5, -6});
  check_gradients([&](const std::vector<Tensor>& in) { return ops::scale_rows(in[0], factors); },
                  {random_tensor({3, 2, 5}, 1)});
  expect_error(ErrorKind::shape, [&] { ops::scale_rows(Tensor::zeros({2, 3}), factors); });
  expect_error(ErrorKind::shape, [&] { ops::scale_rows(Tensor::zeros({3, 3}), factors.to(DType::bf16)); });
}

double expected(Unary function, double x) {
  const double sigmoid = 1 / (1 + std::exp(-x));
  switch (function) {
    case Unary::relu:
      return std::max(x, 0.0);
    case Unary::gelu_erf:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case Unary::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Unary::quick_gelu:
      return x / (1 + std::exp(-1.702 * x));
    case Unary::silu:
      return x * sigmoid;
    case Unary::sigmoid:
      return sigmoid;
    case Unary::tanh:
      return std::tanh(x);
    case Unary::exp:
      return std::exp(x);
    case Unary::log:
      return std::log(x);
    case Unary::square:
      return x * x;
  }
  return 0;
}

TEST(UnaryFunctions, ValuesAndGradients) {
  for (int i = 0; i <= static_cast<int>(Unary::square); ++i) {
    SCOPED_TRACE(i);
    const auto function = static_cast<Unary>(i);
    Tensor x = random_tensor({7, 11}, 5, 1.5f);
    for (float& value : x.span<float>()) {
      if (function == Unary::log) value = 0.5f + std::abs(value);
      if (std::abs(value) < 0.01f) value = 0.02f;  // away from the kink of relu
    }
    std::vector<float> values;
    for (const float value : x.span<float>()) values.push_back(static_cast<float>(expected(function, value)));
    expect_values(ops::unary(function, x), values, 2e-5f);
    const auto apply = [&](const std::vector<Tensor>& in) { return ops::unary(function, in[0]); };
    check_gradients(apply, {x});
    check_bf16(apply, {x}, 1);
  }
  expect_error(ErrorKind::shape, [] { ops::relu(Tensor::zeros({2}, DType::i32)); });
}

TEST(Swiglu, ValuesAndGradients) {
  const float silu1 = static_cast<float>(expected(Unary::silu, 1)),
              silu2 = static_cast<float>(expected(Unary::silu, -2));
  expect_values(ops::swiglu(Tensor::from<float>({1, -2, 10, 100}, {1, 4})), {10 * silu1, 100 * silu2});
  const auto swiglu = [](const std::vector<Tensor>& in) { return ops::swiglu(in[0]); };
  check_gradients(swiglu, {random_tensor({5, 14}, 1)});
  check_bf16(swiglu, {random_tensor({9, 34}, 1)}, 1);
  expect_error(ErrorKind::shape, [] { ops::swiglu(Tensor::zeros({2, 3})); });
}

TEST(Dropout, KeepsTheMeanAndTheMask) {
  Tensor x = Tensor::full({100, 101}, 1.0f);
  x.set_requires_grad(true);
  Rng rng(7), same(7);
  const Tensor y = ops::dropout(x, 0.25f, rng);
  int64_t zeros = 0;
  for (const float value : y.span<float>()) {
    EXPECT_TRUE(value == 0.0f || std::abs(value - 4.0f / 3.0f) < 1e-6f);
    zeros += value == 0.0f;
  }
  EXPECT_NEAR(static_cast<double>(zeros) / 10100, 0.25, 0.02);
  EXPECT_EQ(ops::dropout(x, 0.25f, same).to_floats(), y.to_floats());
  EXPECT_NE(ops::dropout(x, 0.25f, same).to_floats(), y.to_floats());
  const std::vector<float> values = y.to_floats();
  backward(ops::mean(y), 10100.0f);
  expect_values(x.grad(), values);
  EXPECT_EQ(ops::dropout(x, 0.0f, rng).id(), x.id());
  expect_error(ErrorKind::shape, [&] { ops::dropout(x, 1.0f, rng); });
}

TEST(Cast, RoundsAndGoesBack) {
  const Tensor x = Tensor::from<float>({1.0f, 1.00390625f, -3.1415927f}, {3});
  expect_values(ops::cast(x, DType::bf16), {1.0f, 1.0f, -3.140625f}, 0);
  expect_values(ops::cast(x, DType::f16), {1.0f, 1.00390625f, -3.140625f}, 0);
  Tensor leaf = x.clone();
  leaf.set_requires_grad(true);
  const Tensor y = ops::cast(leaf, DType::bf16);
  backward_mixed(y);
  EXPECT_LT(relative_error(leaf.grad(), mixing_weights({3})), 0.01);
  EXPECT_EQ(leaf.grad().dtype(), DType::f32);
  EXPECT_EQ(ops::cast(leaf, DType::f32).id(), leaf.id());
  expect_error(ErrorKind::shape, [&] { ops::cast(x, DType::i8); });
}

}  // namespace
}  // namespace sensorium
