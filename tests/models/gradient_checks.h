// Gradients of a whole model against its losses.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "nn/parameter_store.h"
#include "tensor/autograd.h"

namespace sensorium::models {

inline double squared_gradient(const nn::Parameter& parameter) {
  double squares = 0;
  for (const float g : parameter.value.grad().to_floats()) squares += static_cast<double>(g) * g;
  return squares;
}

// After a backward pass: every parameter that trains has a gradient that says something.
inline void expect_every_gradient(const nn::ParameterStore& store) {
  for (const nn::Parameter& parameter : store.parameters()) {
    if (!parameter.value.requires_grad()) continue;
    ASSERT_TRUE(parameter.value.grad().defined()) << parameter.name;
    EXPECT_GT(squared_gradient(parameter), 0) << parameter.name;
    EXPECT_TRUE(std::isfinite(squared_gradient(parameter))) << parameter.name;
  }
}

// Along its own gradient g the loss rises with slope |g|; `loss` without a graph.
inline void expect_slopes(const nn::ParameterStore& store, const std::function<double()>& loss) {
  for (const nn::Parameter& parameter : store.parameters()) {
    if (!parameter.value.requires_grad() || !parameter.value.grad().defined()) continue;
    const Tensor value = parameter.value;
    const std::vector<float> start = value.to_floats(), g = value.grad().to_floats();
    // Far enough for the loss to change by a thousandth, near enough to cross few kinks and to see little curvature.
    const double norm = std::sqrt(squared_gradient(parameter)), step = std::clamp(5e-4 / norm, 1e-4, 3e-3);
    const auto at = [&](double distance) {
      for (size_t i = 0; i < g.size(); ++i)
        value.data<float>()[i] = static_cast<float>(start[i] + distance * g[i] / norm);
      return loss();
    };
    const double slope = (at(step) - at(-step)) / (2 * step);
    at(0);
    EXPECT_NEAR(slope, norm, 0.02 * norm + 3e-4) << parameter.name;
  }
}

}  // namespace sensorium::models
