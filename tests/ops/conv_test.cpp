#include "ops/check.h"

namespace sensorium {
namespace {

using namespace testing;
using ops::ConvOptions;
using ops::Pictures;

std::vector<float> naive_conv(const Tensor& x, const Pictures& pictures, const Tensor& w, const Tensor& b,
                              const ConvOptions& o) {
  const std::vector<int64_t> offsets = pictures.offsets();
  const int64_t in = x.dim(1), out = w.dim(0), k = w.dim(1), depth = w.dim(3);
  std::vector<float> y;
  for (size_t i = 0; i < pictures.count(); ++i) {
    const int64_t h = pictures.heights[i], wd = pictures.widths[i];
    for (int64_t oy = 0; oy * o.stride + k <= h + 2 * o.padding; ++oy) {
      for (int64_t ox = 0; ox * o.stride + k <= wd + 2 * o.padding; ++ox) {
        for (int64_t n = 0; n < out; ++n) {
          double sum = b.defined() ? b.data<float>()[n] : 0;
          for (int64_t ky = 0; ky < k; ++ky) {
            for (int64_t kx = 0; kx < k; ++kx) {
              const int64_t yy = oy * o.stride + ky - o.padding, xx = ox * o.stride + kx - o.padding;
              if (yy < 0 || xx < 0 || yy >= h || xx >= wd) continue;
              for (int64_t c = 0; c < depth; ++c) {
                sum += double{x.data<float>()[(offsets[i] + yy * wd + xx) * in + (o.groups == 1 ? c : n)]} *
                       w.data<float>()[((n * k + ky) * k + kx) * depth + c];
              }
            }
          }
          y.push_back(static_cast<float>(sum));
        }
      }
    }
  }
  return y;
}

TEST(Conv2d, ValuesAndGradientsOfRaggedPictures) {
  const Pictures pictures{{5, 3, 1}, {4, 3, 6}};
  struct Case {
    int64_t kernel;
    ConvOptions options;
  };
  for (const Case& c : {Case{3, {1, 1, 1}}, Case{3, {2, 1, 1}}, Case{1, {1, 0, 1}}, Case{1, {2, 0, 1}},
                        Case{5, {1, 2, 1}}, Case{3, {1, 1, 6}}, Case{3, {2, 1, 6}}}) {
    SCOPED_TRACE(::testing::Message() << "kernel " << c.kernel << " stride " << c.options.stride << " groups "
                                      << c.options.groups);
    const int64_t out = c.options.groups == 1 ? 7 : 6;
    const Tensor x = random_tensor({pictures.positions(), 6}, 1);
    const Tensor w = random_tensor({out, c.kernel, c.kernel, 6 / c.options.groups}, 2, 0.3f),
                 b = random_tensor({out}, 3);
    Pictures sizes;
    expect_values(ops::conv2d(x, pictures, w, b, c.options, sizes), naive_conv(x, pictures, w, b, c.options), 1e-4f);
    EXPECT_EQ(sizes.heights[0], (5 + 2 * c.options.padding - c.kernel) / c.options.stride + 1);
    EXPECT_EQ(sizes.widths[2], (6 + 2 * c.options.padding - c.kernel) / c.options.stride + 1);
    const auto conv = [&](const std::vector<Tensor>& in) {
      Pictures unused;
      return ops::conv2d(in[0], pictures, in[1], in[2], c.options, unused);
    };
    check_gradients(conv, {x, w, b});
    check_gradients(conv, {x, w, Tensor()});
    check_bf16(conv, {x, w, b}, 1);
  }
}

TEST(Conv2d, SizesMayBeReplacedInPlace) {
  Pictures pictures{{6}, {5}};
  const Tensor y = ops::conv2d(random_tensor({30, 2}, 1), pictures, random_tensor({3, 3, 3, 2}, 2), {},
                               {.stride = 2, .padding = 1}, pictures);
  EXPECT_EQ(pictures.heights, std::vector<int32_t>{3});
  EXPECT_EQ(pictures.widths, std::vector<int32_t>{3});
  EXPECT_EQ(y.shape(), Shape({9, 3}));
}

TEST(Conv2d, FrozenWeightsWithATrainedBias) {
  const Pictures pictures{{3}, {3}};
  Tensor bias = Tensor::zeros({4});
  bias.set_requires_grad(true);
  Pictures sizes;
  const Tensor y = ops::conv2d(random_tensor({9, 2}, 1), pictures, random_tensor({4, 3, 3, 2}, 2), bias, {}, sizes);
  backward(ops::mean(y), 4.0f);
  expect_values(bias.grad(), {1, 1, 1, 1});
}

TEST(Conv2d, RefusesWhatDoesNotFit) {
  const Pictures pictures{{2}, {4}};
  const Tensor x = Tensor::zeros({8, 4}), w = Tensor::zeros({4, 3, 3, 4});
  Pictures sizes;
  expect_error(ErrorKind::shape, [&] { ops::conv2d(x, pictures, w, {}, {}, sizes); });  // height 2 below the kernel
  expect_error(ErrorKind::shape, [&] { ops::conv2d(x, pictures, w, Tensor::zeros({3}), {.padding = 1}, sizes); });
  expect_error(ErrorKind::shape, [&] { ops::conv2d(x, pictures, w, {}, {.padding = 1, .groups = 2}, sizes); });
  expect_error(ErrorKind::shape, [&] {
    ops::conv2d(x, pictures, Tensor::zeros({4, 3, 2, 4}), {}, {.padding = 1}, sizes);
  });
  expect_error(ErrorKind::shape, [&] { ops::conv2d(x, pictures, w, {}, {.stride = 0, .padding = 1}, sizes); });
  expect_error(ErrorKind::shape, [&] { ops::conv2d(x, {{2}, {5}}, w, {}, {.padding = 1}, sizes); });
}

TEST(StandardizeFilters, MomentsAndGradients) {
  const Tensor w = random_tensor({3, 3, 3, 5}, 1, 2.0f), gain = Tensor::from<float>({1, 2, -1}, {3});
  const Tensor y = ops::standardize_filters(w, gain);
  for (int64_t n = 0; n < 3; ++n) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < 45; ++i) {
      const double value = y.data<float>()[n * 45 + i];
      sum += value;
      squares += value * value;
    }
    EXPECT_NEAR(sum, 0, 1e-5);
    EXPECT_NEAR(squares, std::pow(gain.data<float>()[n], 2), 1e-4);  // 45 elements of variance gain^2 / 45
  }
  check_gradients([](const std::vector<Tensor>& in) { return ops::standardize_filters(in[0], in[1]); }, {w, gain});
  expect_error(ErrorKind::shape, [&] { ops::standardize_filters(w, Tensor::zeros({4})); });
}

TEST(SpaceToDepth, PadsAndGoesBack) {
  Pictures sizes;
  const Tensor x = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {6, 1});  // 2 x 3
  expect_values(ops::space_to_depth(x, {{2}, {3}}, 2, sizes), {1, 2, 4, 5, 3, 0, 6, 0});
  EXPECT_EQ(sizes.heights[0], 1);
  EXPECT_EQ(sizes.widths[0], 2);
  const Pictures ragged{{3, 1, 4}, {5, 2, 2}};
  for (const int64_t factor : {1, 2, 3}) {
    const auto fold = [&](const std::vector<Tensor>& in) {
      Pictures unused;
      return ops::space_to_depth(in[0], ragged, factor, unused);
    };
    check_gradients(fold, {random_tensor({25, 3}, 1)});
    check_bf16(fold, {random_tensor({25, 3}, 1)}, 1);
  }
  expect_error(ErrorKind::shape, [&] { ops::space_to_depth(x, {{2}, {3}}, 0, sizes); });
}

TEST(Upsample, RepeatsAndCuts) {
  const Tensor x = Tensor::from<float>({1, 2}, {2, 1});  // 1 x 2
  expect_values(ops::upsample(x, {{1}, {2}}, 2, {{2}, {3}}), {1, 1, 2, 1, 1, 2});
  const Pictures small{{2, 1}, {3, 2}}, large{{3, 2}, {6, 3}};
  const auto enlarge = [&](const std::vector<Tensor>& in) { return ops::upsample(in[0], small, 2, large); };
  check_gradients(enlarge, {random_tensor({8, 3}, 1)});
  check_bf16(enlarge, {random_tensor({8, 3}, 1)}, 1);
  expect_error(ErrorKind::shape, [&] { ops::upsample(x, {{1}, {2}}, 2, {{3}, {3}}); });
  expect_error(ErrorKind::shape, [&] { ops::upsample(x, {{1}, {2}}, 2, {{2, 2}, {3, 3}}); });
}

}  // namespace
}  // namespace sensorium
