#include "ops/check.h"

namespace sensorium {
namespace {

using namespace testing;
using kernels::NormActivation;

TEST(RmsNorm, ValuesAndGradients) {
  const Tensor x = Tensor::from<float>({3, 4, 0, 0}, {2, 2}), w = Tensor::from<float>({1, 2}, {2});
  const float rms = std::sqrt(12.5f);
  expect_values(ops::rms_norm(x, w, 0.0f).slice(0, 1), {3 / rms, 8 / rms});
  expect_values(ops::rms_norm(x, w, 1e-6f).slice(1, 2), {0, 0});
  const auto norm = [](const std::vector<Tensor>& in) { return ops::rms_norm(in[0], in[1]); };
  check_gradients(norm, {random_tensor({5, 13}, 1), random_tensor({13}, 2)});
  check_gradients(norm, {random_tensor({2, 3, 40}, 1), random_tensor({40}, 2)});
  check_bf16(norm, {random_tensor({9, 40}, 1), random_tensor({40}, 2)}, 1);
  EXPECT_LT(relative_error(ops::rms_norm(x, w.to(DType::bf16)), ops::rms_norm(x, w)), 1e-6);
  expect_error(ErrorKind::shape, [&] { ops::rms_norm(x, Tensor::zeros({3})); });
}

TEST(LayerNorm, ValuesAndGradients) {
  const Tensor x = Tensor::from<float>({1, 3, -5, 5}, {2, 2}), w = Tensor::from<float>({1, 2}, {2});
  expect_values(ops::layer_norm(x, w, Tensor::from<float>({0.5f, 0}, {2}), 0.0f), {-0.5f, 2, -0.5f, 2});
  expect_values(ops::layer_norm(x, w, {}, 0.0f), {-1, 2, -1, 2});
  const auto norm = [](const std::vector<Tensor>& in) { return ops::layer_norm(in[0], in[1], in[2]); };
  check_gradients(norm, {random_tensor({5, 13}, 1), random_tensor({13}, 2), random_tensor({13}, 3)});
  check_gradients(norm, {random_tensor({5, 40}, 1), random_tensor({40}, 2), Tensor()});
  check_bf16(norm, {random_tensor({9, 40}, 1), random_tensor({40}, 2), random_tensor({40}, 3)}, 1);
  expect_error(ErrorKind::shape, [&] { ops::layer_norm(x, w, Tensor::zeros({3})); });
}

// One picture and group at a time, in f64.
std::vector<float> naive_group_norm(const Tensor& x, const ops::Pictures& pictures, const Tensor& w, const Tensor& b,
                                    int64_t groups, NormActivation activation) {
  const std::vector<int64_t> offsets = pictures.offsets();
  const int64_t channels = x.dim(1), width = channels / groups;
  std::vector<float> y(static_cast<size_t>(x.elements()));
  for (size_t i = 0; i < pictures.count(); ++i) {
    for (int64_t g = 0; g < groups; ++g) {
      const auto each = [&](auto&& fn) {
        for (int64_t p = offsets[i]; p < offsets[i + 1]; ++p) {
          for (int64_t c = g * width; c < (g + 1) * width; ++c) fn(p * channels + c, c);
        }
      };
      double sum = 0, squares = 0, count = 0;
      each([&](int64_t at, int64_t) { sum += x.data<float>()[at], ++count; });
      each([&](int64_t at, int64_t) { squares += std::pow(x.data<float>()[at] - sum / count, 2); });
      each([&](int64_t at, int64_t c) {
        double v = (x.data<float>()[at] - sum / count) / std::sqrt(squares / count + 1e-5) * w.data<float>()[c] +
                   b.data<float>()[c];
        if (activation == NormActivation::relu) v = std::max(v, 0.0);
        if (activation == NormActivation::silu) v = v / (1 + std::exp(-v));
        y[static_cast<size_t>(at)] = static_cast<float>(v);
      });
    }
  }
  return y;
}

TEST(GroupNorm, ValuesAndGradientsOfRaggedPictures) {
  const ops::Pictures pictures{{3, 1, 2}, {2, 5, 2}};
  const Tensor x = random_tensor({pictures.positions(), 6}, 1), w = random_tensor({6}, 2), b = random_tensor({6}, 3);
  for (const NormActivation activation : {NormActivation::none, NormActivation::relu, NormActivation::silu}) {
    for (const int64_t groups : {1, 2, 3}) {
      expect_values(ops::group_norm(x, pictures, w, b, groups, activation),
                    naive_group_norm(x, pictures, w, b, groups, activation), 1e-5f);
    }
    // A small step, so that no element of relu crosses zero.
    const auto norm = [&](const std::vector<Tensor>& in) {
      return ops::group_norm(in[0], pictures, in[1], in[2], 2, activation);
    };
    check_gradients(norm, {x, w, b}, {.step = 1e-3, .tolerance = 1e-2});
    check_bf16(norm, {x, w, b}, 1, 0.03);
  }
}

TEST(GroupNorm, DoesNotDependOnTheOtherPictures) {
  const ops::Pictures both{{3, 4}, {3, 2}}, second{{4}, {2}};
  const Tensor x = random_tensor({17, 4}, 1), w = random_tensor({4}, 2), b = random_tensor({4}, 3);
  EXPECT_EQ(ops::group_norm(x, both, w, b, 2).slice(9, 17).to_floats(),
            ops::group_norm(x.slice(9, 17), second, w, b, 2).to_floats());
}

TEST(GroupNorm, RefusesWhatDoesNotFit) {
  const ops::Pictures pictures{{2}, {2}};
  const Tensor x = Tensor::zeros({4, 6}), w = Tensor::zeros({6});
  expect_error(ErrorKind::shape, [&] { ops::group_norm(x, pictures, w, w, 4); });
  expect_error(ErrorKind::shape, [&] { ops::group_norm(x, {{2}, {3}}, w, w, 2); });
  expect_error(ErrorKind::shape, [&] { ops::group_norm(x, {{2, 1}, {2}}, w, w, 2); });
  expect_error(ErrorKind::shape, [&] { ops::group_norm(x, pictures, Tensor::zeros({5}), w, 2); });
}

}  // namespace
}  // namespace sensorium
