// Differentiation itself, with operations made here: the layer above tests its own.
#include "tensor/autograd.h"

#include <gtest/gtest.h>

namespace sensorium {
namespace {

Tensor leaf(std::vector<float> values) {
  Tensor tensor = Tensor::from(values, {static_cast<int64_t>(values.size())});
  return tensor.set_requires_grad(true);
}

Tensor mapped(const Tensor& x, const std::function<float(float, int64_t)>& fn) {
  Tensor y = Tensor::empty(x.shape());
  for (int64_t i = 0; i < x.elements(); ++i) y.data<float>()[i] = fn(x.data<float>()[i], i);
  return y;
}

Tensor square(const Tensor& x) {
  return record("square", mapped(x, [](float v, int64_t) { return v * v; }), {x}, [x](const Tensor& dy) {
    return std::vector<Tensor>{mapped(dy, [&](float d, int64_t i) { return 2 * d * x.data<float>()[i]; })};
  });
}

Tensor times(const Tensor& a, const Tensor& b) {
  const Tensor y = mapped(a, [&](float v, int64_t i) { return v * b.data<float>()[i]; });
  return record("times", y, {a, b}, [a, b](const Tensor& dy) {
    return std::vector<Tensor>{mapped(dy, [&](float d, int64_t i) { return d * b.data<float>()[i]; }),
                               mapped(dy, [&](float d, int64_t i) { return d * a.data<float>()[i]; })};
  });
}

// Passes the gradient itself on to both inputs: what add() does.
Tensor plus(const Tensor& a, const Tensor& b) {
  const Tensor y = mapped(a, [&](float v, int64_t i) { return v + b.data<float>()[i]; });
  return record("plus", y, {a, b}, [](const Tensor& dy) { return std::vector<Tensor>{dy, dy}; });
}

Tensor sum(const Tensor& x) {
  float total = 0;
  for (const float v : x.to_floats()) total += v;
  return record("sum", Tensor::from(std::vector<float>{total}, {1}), {x},
                [x](const Tensor& dy) { return std::vector<Tensor>{Tensor::full(x.shape(), dy.item(), x.dtype())}; });
}

TEST(Autograd, ChainRule) {
  const Tensor x = leaf({1, -2, 3});
  backward(sum(square(square(x))));  // 4 x^3
  EXPECT_EQ(x.grad().to_floats(), (std::vector<float>{4, -32, 108}));
}

TEST(Autograd, GradientsAccumulateAndScale) {
  Tensor x = leaf({1, 2});
  backward(sum(square(x)));
  backward(sum(square(x)), 0.5f);
  EXPECT_EQ(x.grad().to_floats(), (std::vector<float>{3, 6}));
  x.clear_grad();
  EXPECT_FALSE(x.grad().defined());
}

TEST(Autograd, OneTensorAsBothInputs) {
  const Tensor x = leaf({3, -1});
  backward(sum(times(x, x)));
  EXPECT_EQ(x.grad().to_floats(), (std::vector<float>{6, -2}));
}

// plus() hands one and the same gradient tensor to two inputs: adding to one must not change the other.
TEST(Autograd, SharedGradientsStayApart) {
  const Tensor x = leaf({1, 2}), y = leaf({5, 7});
  const Tensor a = square(x), b = square(y);
  const Tensor both = plus(a, b);
  backward(sum(plus(both, a)));  // 2 x^2 + y^2
  EXPECT_EQ(x.grad().to_floats(), (std::vector<float>{4, 8}));
  EXPECT_EQ(y.grad().to_floats(), (std::vector<float>{10, 14}));
}

TEST(Autograd, Diamond) {
  const Tensor x = leaf({2});
  const Tensor top = square(x);                            // 4
  const Tensor left = square(top), right = times(top, x);  // x^4, x^3
  backward(sum(times(left, right)));                       // x^7
  EXPECT_EQ(x.grad().to_floats(), (std::vector<float>{7 * 64}));
}

TEST(Autograd, DeepChainsDoNotRecurse) {
  const Tensor x = leaf({1});
  Tensor y = x;
  const Tensor one = Tensor::full({1}, 1);
  for (int i = 0; i < 20000; ++i) y = times(y, one);
  backward(sum(y));
  EXPECT_EQ(x.grad().item(), 1);
}

TEST(Autograd, ReshapeAndSliceGradients) {
  const Tensor x = leaf({1, 2, 3, 4, 5, 6});
  const Tensor matrix = x.reshape({3, 2});
  backward(sum(square(matrix.slice(1, 3))));
  EXPECT_EQ(x.grad().shape(), (Shape{6}));
  EXPECT_EQ(x.grad().to_floats(), (std::vector<float>{0, 0, 6, 8, 10, 12}));
}

TEST(Autograd, OverlappingSlices) {
  const Tensor x = leaf({1, 2, 3});
  backward(sum(plus(x.slice(0, 2), x.slice(1, 3))));
  EXPECT_EQ(x.grad().to_floats(), (std::vector<float>{1, 2, 1}));
}

TEST(Autograd, NoGradAndDetachRecordNothing) {
  const Tensor x = leaf({1});
  {
    const NoGrad outer;
    const NoGrad inner;
    EXPECT_FALSE(grad_enabled());
    EXPECT_FALSE(square(x).requires_grad());
  }
  EXPECT_TRUE(grad_enabled());
  EXPECT_TRUE(square(x).requires_grad());
  EXPECT_FALSE(square(x.detach()).requires_grad());
  EXPECT_FALSE(square(x).clone().requires_grad());
  EXPECT_TRUE(will_record({x}));
  EXPECT_FALSE(will_record({x.detach()}));
}

TEST(Autograd, FrozenInputsGetNoGradient) {
  const Tensor x = leaf({2});
  const Tensor frozen = Tensor::from(std::vector<float>{5}, {1});
  backward(sum(times(x, frozen)));
  EXPECT_EQ(x.grad().item(), 5);
  EXPECT_FALSE(frozen.grad().defined());
}

TEST(Autograd, BackwardFreesTheGraph) {
  const Tensor x = leaf({1, 2, 3});
  const size_t before = tensor_bytes_in_use();
  {
    const Tensor loss = sum(square(square(x)));
    backward(loss);
    EXPECT_FALSE(loss.node());
  }
  EXPECT_LE(tensor_bytes_in_use(), before + 64);  // the gradient
}

TEST(Autograd, GradBufferIsAddedToInPlace) {
  const Tensor x = leaf({1, 2});
  const Tensor buffer = grad_buffer(x);
  EXPECT_EQ(buffer.to_floats(), (std::vector<float>{0, 0}));
  EXPECT_EQ(grad_buffer(x).raw(), buffer.raw());
  backward(sum(square(x)));
  EXPECT_EQ(buffer.to_floats(), (std::vector<float>{2, 4}));
}

TEST(Autograd, Bf16ActivationsMeetF32Leaves) {
  const Tensor x = leaf({1, 2, 3});
  const auto narrow = [](const Tensor& t) {
    return record("narrow", t.to(DType::bf16), {t}, [](const Tensor& dy) { return std::vector<Tensor>{dy}; });
  };
  const auto twice = [](const Tensor& t) {
    return record("sum", Tensor::full({1}, 0), {t},
                  [t](const Tensor&) { return std::vector<Tensor>{Tensor::full(t.shape(), 1.5f, DType::bf16)}; });
  };
  const Tensor y = narrow(x);
  backward(twice(y));
  EXPECT_EQ(x.grad().dtype(), DType::f32);
  EXPECT_EQ(x.grad().to_floats(), (std::vector<float>{1.5f, 1.5f, 1.5f}));
  backward(twice(narrow(x)));
  EXPECT_EQ(x.grad().to_floats(), (std::vector<float>{3, 3, 3}));
}

TEST(Autograd, MistakesAreErrors) {
  const Tensor x = leaf({1, 2});
  EXPECT_THROW(backward(square(x)), Error);                // several elements
  EXPECT_THROW(backward(Tensor::full({1}, 1.0f)), Error);  // nothing to differentiate
  const auto broken = [&](std::vector<Tensor> grads) {
    return record("broken", Tensor::full({1}, 1.0f), {x}, [grads](const Tensor&) { return grads; });
  };
  EXPECT_THROW(backward(broken({})), Error);
  EXPECT_THROW(backward(broken({Tensor::zeros({3})})), Error);
  EXPECT_TRUE(grad_enabled());
}

TEST(Autograd, CheckpointGivesTheSameGradients) {
  int runs = 0;
  const Tensor weight = leaf({3, -2});
  const auto block = [&](const std::vector<Tensor>& in) {
    ++runs;
    return times(square(in[0]), weight);
  };
  const Tensor x = leaf({1.5f, 2.5f});
  backward(sum(block({square(x)})));
  const auto wanted_x = x.grad().to_floats(), wanted_w = weight.grad().to_floats();

  Tensor again = leaf({1.5f, 2.5f});
  Tensor w = weight;
  w.clear_grad();
  runs = 0;
  const Tensor y = checkpoint(block, {square(again)});
  EXPECT_EQ(runs, 1);
  backward(sum(y));
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(again.grad().to_floats(), wanted_x);
  EXPECT_EQ(weight.grad().to_floats(), wanted_w);
}

TEST(Autograd, CheckpointPassesErrorsOnAndRestores) {
  const Tensor x = leaf({1});
  int runs = 0;
  const Tensor y = checkpoint(
      [&](const std::vector<Tensor>& in) {
        if (++runs == 2) throw Error(ErrorKind::numeric, "the second run fails");
        return square(in[0]);
      },
      {x});
  EXPECT_THROW(backward(sum(y)), Error);
  EXPECT_TRUE(grad_enabled());
}

}  // namespace
}  // namespace sensorium
