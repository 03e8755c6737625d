// Checks that every operation's tests share: gradients against central differences, the ways gradients reach inputs,
// 16-bit against 32-bit results.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "ops/ops.h"

namespace sensorium::testing {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

inline Tensor random_tensor(const Shape& shape, uint64_t seed, float stddev = 1.0f) {
  Rng rng(seed);
  return Tensor::randn(shape, rng, stddev);
}

inline double relative_error(const Tensor& actual, const Tensor& expected) {
  const std::vector<float> a = actual.to_floats(), e = expected.to_floats();
  EXPECT_EQ(actual.shape(), expected.shape());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < e.size(); ++i) {
    difference += (a[i] - e[i]) * static_cast<double>(a[i] - e[i]);
    norm += static_cast<double>(e[i]) * e[i];
  }
  return std::sqrt(difference / std::max(norm, 1e-30));
}

inline void expect_values(const Tensor& actual, const std::vector<float>& expected, float tolerance = 1e-5f) {
  const std::vector<float> values = actual.to_floats();
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(values[i], expected[i], tolerance * std::max(1.0f, std::abs(expected[i]))) << "element " << i;
  }
}

// Handles on new leaves with the values of `inputs`; floats require gradients, integers and undefined ones do not.
inline std::vector<Tensor> make_leaves(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> leaves;
  for (const Tensor& input : inputs) {
    leaves.push_back(input.defined() ? input.clone() : Tensor());
    if (input.defined() && is_float(input.dtype())) leaves.back().set_requires_grad(true);
  }
  return leaves;
}

// Weights that make a scalar of an output, the same for every call.
inline Tensor mixing_weights(const Shape& shape) { return random_tensor(shape, 0xC0FFEE); }

inline double mixed(const Tensor& y) {
  const std::vector<float> values = y.to_floats(), weights = mixing_weights(y.shape()).to_floats();
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += static_cast<double>(values[i]) * weights[i];
  return sum;
}

// d(mixed(y)) by the leaves that y was computed from.
inline void backward_mixed(const Tensor& y) {
  const Tensor weights = mixing_weights(y.shape());
  backward(ops::mean(ops::multiply(ops::cast(y, DType::f32), weights)), static_cast<float>(y.elements()));
}

struct GradCheck {
  double step = 5e-3;
  double tolerance = 5e-3;  // of max(1, |difference quotient|)
  int64_t samples = 60;     // elements per input that are checked
};

inline void check_gradients(const Function& function, const std::vector<Tensor>& inputs, const GradCheck& check = {}) {
  std::vector<Tensor> leaves = make_leaves(inputs);
  const Tensor y = function(leaves);
  ASSERT_TRUE(y.requires_grad());
  backward_mixed(y);

  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!leaves[i].requires_grad()) continue;
    const Tensor grad = leaves[i].grad();
    ASSERT_TRUE(grad.defined()) << "input " << i;
    ASSERT_EQ(grad.dtype(), DType::f32);
    ASSERT_EQ(grad.shape(), leaves[i].shape());
    const NoGrad no_grad;
    const int64_t count = leaves[i].elements(), stride = std::max<int64_t>(1, count / check.samples);
    for (int64_t element = 0; element < count; element += stride) {
      float& value = leaves[i].data<float>()[element];
      const float saved = value;
      value = saved + static_cast<float>(check.step);
      const double above = mixed(function(leaves)), high = value;
      value = saved - static_cast<float>(check.step);
      const double below = mixed(function(leaves)), low = value;
      value = saved;
      const double quotient = (above - below) / (high - low);
      ASSERT_NEAR(grad.data<float>()[element], quotient, check.tolerance * std::max(1.0, std::abs(quotient)))
          << "input " << i << " element " << element;
    }
  }

  // The same gradients through inputs that are no leaves,
  std::vector<Tensor> others = make_leaves(inputs), derived;
  for (const Tensor& leaf : others) derived.push_back(leaf.requires_grad() ? ops::scale(leaf, 1.0f) : leaf);
  backward_mixed(function(derived));
  // through a checkpoint (to the bit),
  std::vector<Tensor> checkpointed = make_leaves(inputs);
  backward_mixed(checkpoint(function, checkpointed));
  // and once more on top of the first.
  std::vector<Tensor> first(leaves.size());
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (leaves[i].requires_grad()) first[i] = leaves[i].grad().clone();
  }
  backward_mixed(function(leaves));
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!leaves[i].requires_grad()) continue;
    EXPECT_LT(relative_error(others[i].grad(), first[i]), 1e-5) << "input " << i << " that is no leaf";
    EXPECT_EQ(checkpointed[i].grad().to_floats(), first[i].to_floats()) << "input " << i << " of a checkpoint";
    EXPECT_LT(relative_error(leaves[i].grad(), ops::scale(first[i], 2.0f)), 1e-5) << "input " << i << " accumulated";
  }

  // Each input alone: the others are frozen.
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!leaves[i].requires_grad()) continue;
    std::vector<Tensor> alone = make_leaves(inputs);
    for (size_t j = 0; j < alone.size(); ++j) {
      if (j != i && alone[j].defined()) alone[j].set_requires_grad(false);
    }
    backward_mixed(function(alone));
    EXPECT_LT(relative_error(alone[i].grad(), first[i]), 1e-5) << "input " << i << " alone";
    for (size_t j = 0; j < alone.size(); ++j) {
      EXPECT_FALSE(j != i && alone[j].defined() && alone[j].grad().defined()) << "frozen input " << j;
    }
  }

  // Nothing is recorded where nothing asks for it.
  const NoGrad no_grad;
  const Tensor plain = function(leaves);
  EXPECT_FALSE(plain.requires_grad());
  EXPECT_EQ(plain.to_floats(), y.to_floats());
}

// Results and gradients with the first `activations` inputs in bf16 against f32, as relative errors of whole tensors.
// One rounding is 2^-9; sums of products of rounded operands stay near it.
inline void check_bf16(const Function& function, const std::vector<Tensor>& inputs, size_t activations,
                       double tolerance = 0.02) {
  std::vector<Tensor> exact, rounded;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const bool activation = i < activations && inputs[i].defined();
    const Tensor small = activation ? inputs[i].to(DType::bf16) : inputs[i];
    rounded.push_back(small);
    exact.push_back(activation ? small.to(DType::f32) : inputs[i]);  // the same values, computed exactly
  }
  exact = make_leaves(exact);
  rounded = make_leaves(rounded);
  const Tensor y = function(exact), z = function(rounded);
  EXPECT_LT(relative_error(z, y), tolerance);
  backward_mixed(y);
  backward_mixed(z);
  for (size_t i = 0; i < exact.size(); ++i) {
    if (!exact[i].requires_grad()) continue;
    EXPECT_LT(relative_error(rounded[i].grad(), exact[i].grad()), tolerance) << "gradient of input " << i;
  }
}

template <typename Fn>
void expect_error(ErrorKind kind, Fn&& fn) {
  try {
    fn();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.message();
  }
}

}  // namespace sensorium::testing
