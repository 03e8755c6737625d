// The contrastive loss against plain loops, its gradients, and embedding in pieces against all at once.
#include "ops/contrastive.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ops/check.h"

namespace sensorium::ops {
namespace {

using namespace sensorium::testing;

Tensor log_scale_of(double temperature) { return Tensor::full({1}, static_cast<float>(-std::log(temperature))); }
Tensor indices(const std::vector<int32_t>& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())});
}
Tensor unit(int64_t rows, int64_t dim, uint64_t seed) { return l2_normalize(random_tensor({rows, dim}, seed)); }

// The definition, in plain loops.
double reference(const Tensor& a_NC, const Tensor& b_NC, double scale, const std::vector<int32_t>& groups) {
  const int64_t pairs = a_NC.dim(0), dim = a_NC.dim(1);
  const auto logit = [&](int64_t i, int64_t j) {
    double sum = 0;
    for (int64_t c = 0; c < dim; ++c)
      sum += static_cast<double>(a_NC.data<float>()[i * dim + c]) * b_NC.data<float>()[j * dim + c];
    return scale * sum;
  };
  double loss = 0;
  for (int64_t i = 0; i < pairs; ++i) {
    double row = 0, column = 0, partners = 0, of_row = 0, of_column = 0;
    for (int64_t j = 0; j < pairs; ++j) {
      row += std::exp(logit(i, j));
      column += std::exp(logit(j, i));
      if (groups[static_cast<size_t>(i)] != groups[static_cast<size_t>(j)]) continue;
      partners += 1;
      of_row += logit(i, j);
      of_column += logit(j, i);
    }
    loss += std::log(row) - of_row / partners + std::log(column) - of_column / partners;
  }
  return loss / static_cast<double>(2 * pairs);
}

TEST(InfoNce, IsTheMeanOfBothDirections) {
  for (const int64_t pairs : {1, 2, 7, 130}) {
    SCOPED_TRACE(pairs);
    const Tensor a = unit(pairs, 12, 1), b = unit(pairs, 12, 2);
    std::vector<int32_t> alone, grouped;
    for (int64_t i = 0; i < pairs; ++i) {
      alone.push_back(static_cast<int32_t>(i));
      grouped.push_back(static_cast<int32_t>(i % 3));
    }
    EXPECT_NEAR(info_nce(a, b, log_scale_of(0.2)).item(), reference(a, b, 5, alone), 1e-4);
    EXPECT_NEAR(info_nce(a, b, log_scale_of(0.2), indices(grouped)).item(), reference(a, b, 5, grouped), 1e-4);
  }
  // Pairs that are the same and far from all others teach nothing; those that are mixed up cost twice their distance.
  const Tensor far = Tensor::from(std::vector<float>{1, 0, 0, 1}, {2, 2}),
               mixed = Tensor::from(std::vector<float>{0, 1, 1, 0}, {2, 2});
  EXPECT_LT(info_nce(far, far, log_scale_of(0.05)).item(), 1e-6);
  EXPECT_NEAR(info_nce(far, mixed, log_scale_of(0.05)).item(), 20.0, 1e-4);
}

TEST(InfoNce, GradientsOfVectorsAndTemperature) {
  const Tensor a = random_tensor({5, 6}, 3, 0.5f), b = random_tensor({5, 6}, 4, 0.5f);
  check_gradients([](const std::vector<Tensor>& in) { return info_nce(in[0], in[1], in[2]); },
                  {a, b, log_scale_of(0.3)});
  check_gradients([](const std::vector<Tensor>& in) { return info_nce(in[0], in[1], in[2], in[3]); },
                  {a, b, log_scale_of(0.3), indices({0, 1, 0, 2, 1})});
}

TEST(InfoNce, TheTemperatureStaysAboveAHundredth) {
  const Tensor a = unit(4, 8, 5), b = unit(4, 8, 6);
  EXPECT_EQ(info_nce(a, b, log_scale_of(0.001)).item(), info_nce(a, b, log_scale_of(0.01)).item());
  // A scale beyond the cap comes back where that helps, and does not go farther where it does not.
  Tensor wrong = log_scale_of(0.005).set_requires_grad(true), right = log_scale_of(0.005).set_requires_grad(true);
  backward(info_nce(a, b, wrong));
  EXPECT_GT(wrong.grad().item(), 0);
  // Every pair is a little nearer than its row's best contrast: a larger scale would tell them apart better.
  const Tensor axes = Tensor::from(std::vector<float>{1, 0, 0, 0, 1, 0, 0, 0, 1}, {3, 3});
  const Tensor near =
      l2_normalize(Tensor::from(std::vector<float>{.51f, .49f, 0, 0, .51f, .49f, .49f, 0, .51f}, {3, 3}));
  backward(info_nce(axes, near, right));
  EXPECT_EQ(right.grad().item(), 0);
}

TEST(InfoNce, RefusesWhatDoesNotFit) {
  const Tensor a = unit(3, 4, 1), scale = log_scale_of(1);
  expect_error(ErrorKind::shape, [&] { info_nce(a, unit(2, 4, 1), scale); });
  expect_error(ErrorKind::shape, [&] { info_nce(a, a, Tensor::full({2}, 1)); });
  expect_error(ErrorKind::shape, [&] { info_nce(a, a, scale, indices({1, 2})); });
  expect_error(ErrorKind::shape, [&] { info_nce(a.to(DType::bf16), a.to(DType::bf16), scale); });
  expect_error(ErrorKind::shape, [&] { info_nce(a.slice(0, 0), a.slice(0, 0), scale); });
}

// A small network whose batch is embedded at once or in pieces.
struct Towers {
  std::vector<Tensor> leaves = make_leaves({random_tensor({16, 10}, 11, 0.3f), random_tensor({8, 16}, 12, 0.3f),
                                            random_tensor({8, 14}, 13, 0.3f), log_scale_of(0.1)});
  Tensor left_RK = random_tensor({37, 10}, 14), right_RK = random_tensor({37, 14}, 15);

  Tensor left(int64_t begin, int64_t end) const {
    return l2_normalize(linear(gelu(linear(left_RK.slice(begin, end), leaves[0])), leaves[1]));
  }
  Tensor right(int64_t begin, int64_t end) const { return l2_normalize(linear(right_RK.slice(begin, end), leaves[2])); }
};

TEST(InPieces, GivesTheBigBatchsLossAndGradients) {
  const Towers whole;
  const int64_t rows = whole.left_RK.dim(0);
  const Tensor expected = info_nce(whole.left(0, rows), whole.right(0, rows), whole.leaves[3]);
  backward(expected);
  for (const int64_t piece : {1, 5, 36, 37, 100}) {
    SCOPED_TRACE(piece);
    const Towers parts;
    const Tensor left_NC = in_pieces(rows, piece, [&](int64_t begin, int64_t end) { return parts.left(begin, end); });
    const Tensor right_NC = in_pieces(rows, piece, [&](int64_t begin, int64_t end) { return parts.right(begin, end); });
    const Tensor loss = info_nce(left_NC, right_NC, parts.leaves[3]);
    EXPECT_NEAR(loss.item(), expected.item(), 1e-5);
    backward(loss);
    for (size_t i = 0; i < parts.leaves.size(); ++i) {
      EXPECT_LT(relative_error(parts.leaves[i].grad(), whole.leaves[i].grad()), 1e-5) << "parameter " << i;
    }
  }
}

TEST(InPieces, KeepsTheGraphOfOnePieceAtMost) {
  const auto peak_of = [](int64_t piece) {
    const Tensor weight = make_leaves({random_tensor({2048, 4}, 1)})[0],
                 last = make_leaves({random_tensor({2, 2048}, 2)})[0];
    const Tensor x_RK = random_tensor({512, 4}, 3);
    reset_peak_tensor_bytes();
    const size_t before = tensor_bytes_in_use();
    const Tensor y_RC = in_pieces(512, piece, [&](int64_t begin, int64_t end) {
      return linear(gelu(linear(x_RK.slice(begin, end), weight)), last);
    });
    backward(mean(y_RC));
    return peak_tensor_bytes() - before;
  };
  EXPECT_LT(peak_of(32) * 4, peak_of(512));
}

TEST(InPieces, RefusesWhatDoesNotFit) {
  expect_error(ErrorKind::shape, [] { in_pieces(4, 0, [](int64_t, int64_t) { return Tensor::zeros({4, 1}); }); });
  expect_error(ErrorKind::shape, [] { in_pieces(4, 2, [](int64_t, int64_t) { return Tensor::zeros({3, 1}); }); });
}

}  // namespace
}  // namespace sensorium::ops
