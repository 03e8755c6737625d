#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace sensorium::train {
namespace {

// AdamW as its paper writes it, one number at a time in f64.
class PlainAdamW {
 public:
  PlainAdamW(const nn::ParameterStore& store, const OptimizerOptions& options) : options_(options) {
    for (const nn::Parameter& parameter : store.parameters()) {
      if (!parameter.value.requires_grad()) continue;
      Slot& slot = slots_[parameter.name];
      for (const float x : parameter.value.to_floats()) slot.p.push_back(x);
      slot.ema = slot.p;
      slot.m.resize(slot.p.size());
      slot.v.resize(slot.p.size());
      slot.decay = parameter.value.rank() > 1 ? options.weight_decay : 0;
    }
  }
  // A parameter without an entry has no gradient.
  double step(const std::map<std::string, std::vector<float>>& grads, double learning_rate) {
    double squares = 0;
    for (const auto& [name, g] : grads) {
      for (const float x : g) squares += static_cast<double>(x) * x;
    }
    const double norm = std::sqrt(squares);
    const double clip = options_.clip_norm > 0 ? std::min(1.0, options_.clip_norm / norm) : 1;
    ++steps_;
    const double ema_decay = std::min(options_.ema_decay, (1.0 + steps_) / (10.0 + steps_));
    for (const auto& [name, g] : grads) {
      Slot& s = slots_.at(name);
      for (size_t i = 0; i < g.size(); ++i) {
        const double x = clip * g[i];
        s.m[i] = options_.beta1 * s.m[i] + (1 - options_.beta1) * x;
        s.v[i] = options_.beta2 * s.v[i] + (1 - options_.beta2) * x * x;
        const double m = s.m[i] / (1 - std::pow(options_.beta1, steps_));
        const double v = s.v[i] / (1 - std::pow(options_.beta2, steps_));
        s.p[i] -= learning_rate * (m / (std::sqrt(v) + options_.eps) + s.decay * s.p[i]);
        s.ema[i] = ema_decay * s.ema[i] + (1 - ema_decay) * s.p[i];
      }
    }
    return norm;
  }
  const std::vector<double>& values(const std::string& name) const { return slots_.at(name).p; }
  const std::vector<double>& ema(const std::string& name) const { return slots_.at(name).ema; }

 private:
  struct Slot {
    std::vector<double> p, m, v, ema;
    double decay = 0;
  };
  OptimizerOptions options_;
  std::map<std::string, Slot> slots_;
  int steps_ = 0;
};

nn::ParameterStore small_store() {
  nn::ParameterStore store(7);
  store.add("matrix", {5, 7}, nn::Init::normal, 0.5f);
  store.add("bias", {9}, nn::Init::ones);
  store.add("late", {3, 3}, nn::Init::normal, 1.0f);
  store.add("frozen", {2, 2}, nn::Init::normal, 1.0f);
  store.set_trainable({"frozen"}, false);
  return store;
}

void expect_near(const Tensor& actual, const std::vector<double>& expected, const std::string& what) {
  const std::vector<float> values = actual.to_floats();
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], 2e-6) << what << " " << i;
}

// Gradients of step `step`; "late" has one in every third step only.
std::map<std::string, std::vector<float>> set_grads(nn::ParameterStore& store, int step, float size) {
  std::map<std::string, std::vector<float>> grads;
  Rng rng = Rng::for_item(11, static_cast<uint64_t>(step));
  for (nn::Parameter& parameter : store.parameters()) {
    if (!parameter.value.requires_grad() || (parameter.name == "late" && step % 3 != 1)) continue;
    const Tensor grad = Tensor::randn(parameter.value.shape(), rng, size);
    parameter.value.set_grad(grad);
    grads[parameter.name] = grad.to_floats();
  }
  return grads;
}

void compare_with_plain(const OptimizerOptions& options, float gradient_size) {
  nn::ParameterStore store = small_store();
  const std::vector<float> frozen = store.find("frozen").value.to_floats();
  AdamW optimizer(store, options);
  PlainAdamW plain(store, options);
  for (int step = 0; step < 12; ++step) {
    const double learning_rate = 0.01 / (1 + step);
    const auto grads = set_grads(store, step, gradient_size);
    const double norm = optimizer.step(learning_rate);
    EXPECT_NEAR(norm, plain.step(grads, learning_rate), 1e-5 * norm);
    for (const char* name : {"matrix", "bias", "late"}) {
      expect_near(store.find(name).value, plain.values(name), name);
      EXPECT_FALSE(store.find(name).value.grad().defined()) << name;
    }
  }
  EXPECT_EQ(optimizer.steps_done(), 12);
  EXPECT_EQ(store.find("frozen").value.to_floats(), frozen);
  if (!optimizer.has_ema()) return;
  optimizer.swap_ema();
  for (const char* name : {"matrix", "bias", "late"}) expect_near(store.find(name).value, plain.ema(name), name);
  optimizer.swap_ema();
  for (const char* name : {"matrix", "bias", "late"}) expect_near(store.find(name).value, plain.values(name), name);
}

TEST(AdamW, RatesOfPatterns) {
  nn::ParameterStore store = small_store(), alone = small_store();
  OptimizerOptions options{.weight_decay = 0.1};
  AdamW plain(alone, options);
  options.rates = {{"bias", 0.0}, {"*a*", 0.25}};
  AdamW optimizer(store, options);
  const std::vector<float> bias = store.find("bias").value.to_floats(), matrix = store.find("matrix").value.to_floats();
  set_grads(store, 1, 1);
  set_grads(alone, 1, 1);
  optimizer.step(0.04);
  plain.step(0.01);
  EXPECT_EQ(store.find("bias").value.to_floats(), bias);
  EXPECT_NE(store.find("matrix").value.to_floats(), matrix);
  EXPECT_EQ(store.find("matrix").value.to_floats(), alone.find("matrix").value.to_floats());
}

TEST(AdamW, EqualsThePlainLoop) { compare_with_plain({.weight_decay = 0, .clip_norm = 0}, 0.5f); }
TEST(AdamW, DecaysMatricesOnly) { compare_with_plain({.weight_decay = 0.3, .clip_norm = 0}, 0.5f); }
TEST(AdamW, ClipsByTheNormOfAllGradientsTogether) { compare_with_plain({.clip_norm = 0.7}, 3.0f); }
TEST(AdamW, LeavesGradientsBelowTheClippingNormAlone) { compare_with_plain({.clip_norm = 1e3}, 0.5f); }
TEST(AdamW, AveragesTheWeights) { compare_with_plain({.beta1 = 0.8, .beta2 = 0.99, .ema_decay = 0.3}, 0.5f); }
TEST(AdamW, EarlyAveragesForgetTheRandomStart) { compare_with_plain({.ema_decay = 0.9999}, 0.5f); }

TEST(AdamW, TheFirstStepMovesByTheLearningRate) {
  // m / sqrt(v) is 1 after bias correction, whatever the gradient's size.
  nn::ParameterStore store(1);
  const Tensor bias = store.add("bias", {3}, nn::Init::zeros);
  AdamW optimizer(store, {.clip_norm = 0});
  Tensor(bias).set_grad(Tensor::from<float>({1e-3f, -5.0f, 0.0f}, {3}));
  EXPECT_NEAR(optimizer.step(0.25), std::hypot(1e-3, 5.0), 1e-6);
  EXPECT_NEAR(bias.data<float>()[0], -0.25, 1e-5);
  EXPECT_NEAR(bias.data<float>()[1], 0.25, 1e-5);
  EXPECT_EQ(bias.data<float>()[2], 0);
}

TEST(AdamW, RefusesGradientsThatAreNotFiniteAndChangesNothing) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    nn::ParameterStore store = small_store();
    AdamW optimizer(store, {.ema_decay = 0.9});
    set_grads(store, 0, 1);
    optimizer.step(0.01);
    std::vector<std::vector<float>> before;
    for (const nn::Parameter& parameter : store.parameters()) before.push_back(parameter.value.to_floats());
    for (const AdamW::State& entry : optimizer.state()) before.push_back(entry.tensor.to_floats());
    set_grads(store, 1, 1);
    store.find("bias").value.grad().data<float>()[8] = bad;
    try {
      optimizer.step(0.01);
      FAIL() << "the step was made";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::numeric);
    }
    std::vector<std::vector<float>> after;
    for (const nn::Parameter& parameter : store.parameters()) after.push_back(parameter.value.to_floats());
    for (const AdamW::State& entry : optimizer.state()) after.push_back(entry.tensor.to_floats());
    EXPECT_EQ(before, after);
    EXPECT_EQ(optimizer.steps_done(), 1);
  }
}

TEST(AdamW, TrainsF32Only) {
  nn::ParameterStore store([](const std::string&, const Shape& shape) { return Tensor::zeros(shape, DType::bf16); });
  store.add("matrix", {2, 2});
  EXPECT_NO_THROW(AdamW(store, {}));  // it does not train
  store.parameters()[0].value.set_requires_grad(true);
  try {
    AdamW optimizer(store, {});
    FAIL() << "bf16 was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::shape);
    EXPECT_NE(error.message().find("matrix"), std::string::npos) << error.message();
  }
}

TEST(AdamW, NamesItsStateByParameter) {
  nn::ParameterStore store = small_store();
  const auto names = [](const AdamW& optimizer) {
    std::vector<std::string> list;
    for (const AdamW::State& entry : optimizer.state()) list.push_back(entry.name);
    return list;
  };
  EXPECT_EQ(names(AdamW(store, {})),
            (std::vector<std::string>{"matrix/m", "matrix/v", "bias/m", "bias/v", "late/m", "late/v"}));
  EXPECT_EQ(names(AdamW(store, {.ema_decay = 0.9})),
            (std::vector<std::string>{"matrix/m", "matrix/v", "matrix/ema", "bias/m", "bias/v", "bias/ema", "late/m",
                                      "late/v", "late/ema"}));
}

}  // namespace
}  // namespace sensorium::train
