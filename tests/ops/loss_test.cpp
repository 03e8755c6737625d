#include "ops/check.h"

namespace sensorium {
namespace {

using namespace testing;

// Weighted cross-entropy in f64.
double naive_cross_entropy(const Tensor& logits, const std::vector<int32_t>& targets, const std::vector<float>& weights,
                           double normalizer, double smoothing = 0) {
  double sum = 0, total = 0;
  const int64_t classes = logits.dim(1);
  for (size_t r = 0; r < targets.size(); ++r) {
    if (targets[r] < 0) continue;
    const float* row = logits.data<float>() + static_cast<int64_t>(r) * classes;
    double exps = 0, mean = 0;
    for (int64_t c = 0; c < classes; ++c) {
      exps += std::exp(double{row[c]});
      mean += row[c] / static_cast<double>(classes);
    }
    sum += weights[r] * (std::log(exps) - (1 - smoothing) * row[targets[r]] - smoothing * mean);
    total += weights[r];
  }
  return sum / (normalizer != 0 ? normalizer : total);
}

const std::vector<int32_t> kTargets{0, 4, -1, 2, 2};
const std::vector<float> kWeights{1, 0.5f, 3, 0, 2};

TEST(CrossEntropy, ValuesAndGradients) {
  const Tensor targets = Tensor::from(kTargets, {5}), weights = Tensor::from(kWeights, {5});
  const Tensor logits = random_tensor({5, 7}, 1, 2.0f);
  EXPECT_NEAR(ops::cross_entropy(logits, targets).item(), naive_cross_entropy(logits, kTargets, {1, 1, 1, 1, 1}, 0),
              1e-5);
  EXPECT_NEAR(ops::cross_entropy(logits, targets, weights).item(), naive_cross_entropy(logits, kTargets, kWeights, 0),
              1e-5);
  EXPECT_NEAR(ops::cross_entropy(logits, targets, weights, 10, 0.1f).item(),
              naive_cross_entropy(logits, kTargets, kWeights, 10, 0.1), 1e-5);
  for (const float smoothing : {0.0f, 0.2f}) {
    const auto loss = [&](const std::vector<Tensor>& in) {
      return ops::cross_entropy(in[0], targets, weights, 2, smoothing);
    };
    check_gradients(loss, {logits});
    check_bf16(loss, {logits}, 1);
  }
}

TEST(CrossEntropy, NothingToLearnFrom) {
  Tensor logits = random_tensor({2, 3}, 1);
  logits.set_requires_grad(true);
  const Tensor loss = ops::cross_entropy(logits, Tensor::from<int32_t>({-1, -1}, {2}));
  EXPECT_EQ(loss.item(), 0);
  backward(loss);
  EXPECT_EQ(logits.grad().to_floats(), std::vector<float>(6, 0.0f));
}

TEST(CrossEntropy, RefusesWhatDoesNotFit) {
  const Tensor logits = Tensor::zeros({2, 3});
  expect_error(ErrorKind::shape, [&] { ops::cross_entropy(logits, Tensor::from<int32_t>({0, 3}, {2})); });
  expect_error(ErrorKind::shape, [&] { ops::cross_entropy(logits, Tensor::from<int32_t>({0, -2}, {2})); });
  expect_error(ErrorKind::shape, [&] { ops::cross_entropy(logits, Tensor::from<int32_t>({0}, {1})); });
  expect_error(ErrorKind::shape, [&] { ops::cross_entropy(logits, Tensor::zeros({2})); });
  const Tensor targets = Tensor::from<int32_t>({0, 1}, {2});
  expect_error(ErrorKind::shape, [&] { ops::cross_entropy(logits, targets, Tensor::zeros({3})); });
  expect_error(ErrorKind::shape, [&] { ops::cross_entropy(logits, targets, {}, 0, 1.0f); });
}

TEST(LinearCrossEntropy, EqualsTheTwoOperations) {
  const Tensor targets = Tensor::from(kTargets, {5}), weights = Tensor::from(kWeights, {5});
  const Tensor h = random_tensor({5, 12}, 1), w = random_tensor({37, 12}, 2, 0.5f);
  Tensor losses, best;
  const Tensor loss = ops::linear_cross_entropy(h, w, targets, weights, 4, &losses, &best);
  const Tensor logits = ops::linear(h, w);
  EXPECT_NEAR(loss.item(), ops::cross_entropy(logits, targets, weights, 4).item(), 1e-5);
  for (int64_t r = 0; r < 5; ++r) {
    const auto row = logits.slice(r, r + 1).span<float>();
    EXPECT_EQ(best.data<int32_t>()[r], std::max_element(row.begin(), row.end()) - row.begin());
    const double expected =
        kTargets[static_cast<size_t>(r)] < 0
            ? 0
            : naive_cross_entropy(logits.slice(r, r + 1), {kTargets[static_cast<size_t>(r)]}, {1}, 1);
    EXPECT_NEAR(losses.data<float>()[r], expected, 1e-5);
  }
  const auto fused = [&](const std::vector<Tensor>& in) {
    return ops::scale(ops::linear_cross_entropy(in[0], in[1], targets, weights, 4), 3.0f);
  };
  check_gradients(fused, {h, w});
  check_bf16(fused, {h, w}, 1);
  check_bf16(fused, {h, w}, 2);
}

TEST(LinearCrossEntropy, TiedToAnEmbedding) {
  const Tensor ids = Tensor::from<int32_t>({1, 0, 3, 1, 2}, {5}), targets = Tensor::from(kTargets, {5});
  check_gradients(
      [&](const std::vector<Tensor>& in) {
        return ops::linear_cross_entropy(ops::gather_rows(in[0], ids), in[0], targets);
      },
      {random_tensor({6, 8}, 1)});
}

TEST(LinearCrossEntropy, ManyRowsAndOnlyOneSideTrained) {
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 300; ++i) ids.push_back(i % 7 == 3 ? -1 : (i * 31) % 130);
  const Tensor targets = Tensor::from(ids, {300});
  Tensor h = random_tensor({300, 16}, 1), w = random_tensor({130, 16}, 2);
  h.set_requires_grad(true);
  backward(ops::linear_cross_entropy(h, w, targets));
  Tensor reference = h.clone();
  reference.set_requires_grad(true);
  backward(ops::cross_entropy(ops::linear(reference, w), targets));
  EXPECT_LT(relative_error(h.grad(), reference.grad()), 1e-5);
  EXPECT_FALSE(w.grad().defined());
  expect_error(ErrorKind::shape, [&] { ops::linear_cross_entropy(h, Tensor::zeros({130, 15}), targets); });
  expect_error(ErrorKind::shape, [&] { ops::linear_cross_entropy(h, Tensor::zeros({100, 16}), targets); });
}

TEST(CenterFocalLoss, ValuesAndGradients) {
  const Tensor logits = Tensor::from<float>({0, 2, -1, 5, -30}, {5, 1}),
               target = Tensor::from<float>({1, 0, 0.5f, -1, 1}, {5, 1});
  const auto log_sigmoid = [](double x) { return x - std::log1p(std::exp(x)); };
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  const double expected = 0.25 * std::log(2.0) - std::pow(sigmoid(2), 2) * log_sigmoid(-2) -
                          std::pow(0.5, 4) * std::pow(sigmoid(-1), 2) * log_sigmoid(1) + 30.0;
  EXPECT_NEAR(ops::center_focal_loss(logits, target, 2).item(), expected / 2, 1e-4);
  Tensor many = Tensor::empty({700, 9});
  Rng rng(3);
  for (float& t : many.span<float>())
    t = rng.chance(0.1) ? 1.0f : rng.chance(0.1) ? -1.0f : static_cast<float>(rng.uniform(0, 0.99));
  const auto loss = [&](const std::vector<Tensor>& in) { return ops::center_focal_loss(in[0], many, 3); };
  check_gradients(loss, {random_tensor({700, 9}, 1, 2.0f)}, {.tolerance = 1e-2});
  check_bf16(loss, {random_tensor({700, 9}, 1, 2.0f)}, 1);
  expect_error(ErrorKind::shape, [&] { ops::center_focal_loss(logits, many, 1); });
  expect_error(ErrorKind::shape, [&] { ops::center_focal_loss(logits, target, 0); });
}

TEST(GiouLoss, ValuesAndGradients) {
  // The same box; a box of half the size inside: IoU 1/2, hull = union; two boxes that share a quarter.
  const Tensor predicted = Tensor::from<float>({1, 1, 1, 1, 1, 2, 1, 2, 1, 1, 1, 1}, {3, 4});
  const Tensor target = Tensor::from<float>({1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0, 0}, {3, 4}),
               weights = Tensor::from<float>({1, 2, 3}, {3});
  const double shared = 1.0 / 7.0 - 2.0 / 9.0;
  EXPECT_NEAR(ops::giou_loss(predicted, target, weights, 2).item(), (2 * 0.5 + 3 * (1 - shared)) / 2, 1e-5);
  Rng rng(1);
  Tensor a = Tensor::empty({9, 4}), b = Tensor::empty({9, 4}), w = Tensor::empty({9});
  for (const Tensor& t : {a, b, w}) {
    for (float& value : t.span<float>()) value = static_cast<float>(rng.uniform(0.3, 4));
  }
  const auto loss = [&](const std::vector<Tensor>& in) { return ops::giou_loss(in[0], b, w, 5); };
  check_gradients(loss, {a});
  check_bf16(loss, {a}, 1);
  expect_error(ErrorKind::shape, [&] { ops::giou_loss(a, target, w, 1); });
  expect_error(ErrorKind::shape, [&] { ops::giou_loss(a, b, weights, 1); });
  expect_error(ErrorKind::shape, [&] { ops::giou_loss(a, b, w, -1); });
}

TEST(Scalars, SumsAndMeans) {
  const Tensor one = Tensor::full({1}, 2), two = Tensor::full({1}, 5);
  expect_values(ops::weighted_sum({one, two}, {3, -1}), {1});
  check_gradients(
      [](const std::vector<Tensor>& in) {
        return ops::weighted_sum({ops::mean(in[0]), ops::mean(in[1]), ops::mean(in[0])}, {2, 3, 4});
      },
      {random_tensor({3, 5}, 1), random_tensor({7}, 2)});
  EXPECT_NEAR(ops::mean(Tensor::full({300, 301}, 0.1f)).item(), 0.1f, 1e-6);
  expect_error(ErrorKind::shape, [&] { ops::weighted_sum({one}, {1, 2}); });
  expect_error(ErrorKind::shape, [&] { ops::weighted_sum({Tensor::zeros({2})}, {1}); });
  expect_error(ErrorKind::shape, [] { ops::mean(Tensor::zeros({0})); });
}

}  // namespace
}  // namespace sensorium
