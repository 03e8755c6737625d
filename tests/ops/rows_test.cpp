#include "ops/check.h"

namespace sensorium {
namespace {

using namespace testing;

TEST(GatherRows, ValuesAndGradients) {
  const Tensor table = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {3, 2}),
               index = Tensor::from<int32_t>({2, -1, 0, 2, 2}, {5});
  const auto gather = [&](const std::vector<Tensor>& in) { return ops::gather_rows(in[0], index); };
  expect_values(gather({table}), {5, 6, 0, 0, 1, 2, 5, 6, 5, 6});
  check_gradients(gather, {random_tensor({3, 7}, 1)});
  check_gradients(
      [&](const std::vector<Tensor>& in) {
        return ops::gather_rows(in[0].reshape({3, 2}), index);
      },
      {random_tensor({6}, 1)});
  check_bf16(gather, {random_tensor({3, 7}, 1)}, 1);
}

TEST(GatherRows, EmbeddingsIn16BitsFromAnF32Table) {
  Tensor table = random_tensor({4, 9}, 1);
  table.set_requires_grad(true);
  const Tensor y = ops::gather_rows(table, Tensor::from<int32_t>({3, 3, 1}, {3}), DType::bf16);
  EXPECT_EQ(y.dtype(), DType::bf16);
  EXPECT_LT(relative_error(y.slice(2, 3).to(DType::f32), table.slice(1, 2)), 0.01);
  backward(ops::mean(y), 27.0f);
  EXPECT_EQ(table.grad().dtype(), DType::f32);
  for (int64_t c = 0; c < 9; ++c) {
    EXPECT_EQ(table.grad().data<float>()[c], 0);
    EXPECT_EQ(table.grad().data<float>()[9 + c], 1);
    EXPECT_EQ(table.grad().data<float>()[27 + c], 2);
  }
}

TEST(GatherRows, RefusesWhatDoesNotFit) {
  const Tensor table = Tensor::zeros({3, 2});
  expect_error(ErrorKind::shape, [&] { ops::gather_rows(table, Tensor::from<int32_t>({3}, {1})); });
  expect_error(ErrorKind::shape, [&] { ops::gather_rows(table, Tensor::from<int32_t>({-2}, {1})); });
  expect_error(ErrorKind::shape, [&] { ops::gather_rows(table, Tensor::from<int64_t>({0}, {1})); });
  expect_error(ErrorKind::shape, [&] { ops::gather_rows(table, Tensor::from<int32_t>({0}, {1}), DType::i8); });
}

TEST(ConcatRows, ValuesAndGradients) {
  const auto join = [](const std::vector<Tensor>& in) { return ops::concat_rows({in[0], in[1], in[0]}); };
  expect_values(join({Tensor::from<float>({1, 2}, {1, 2}), Tensor::zeros({0, 2})}), {1, 2, 1, 2});
  check_gradients(join, {random_tensor({3, 4}, 1), random_tensor({2, 4}, 2)});
  check_bf16(join, {random_tensor({3, 4}, 1), random_tensor({2, 4}, 2)}, 2);
  expect_error(ErrorKind::shape, [] { ops::concat_rows({}); });
  expect_error(ErrorKind::shape, [] { ops::concat_rows({Tensor::zeros({1, 2}), Tensor::zeros({1, 3})}); });
  expect_error(ErrorKind::shape, [] { ops::concat_rows({Tensor::zeros({1, 2}), Tensor::zeros({1, 2}, DType::bf16)}); });
}

TEST(ConcatColumns, ValuesAndGradients) {
  const Tensor a = Tensor::from<float>({1, 2, 3, 4}, {2, 2}), b = Tensor::from<float>({5, 6}, {2, 1});
  expect_values(ops::concat_columns({a, b}), {1, 2, 5, 3, 4, 6});
  const auto join = [](const std::vector<Tensor>& in) { return ops::concat_columns(in); };
  check_gradients(join, {random_tensor({4, 3}, 1), random_tensor({4, 1}, 2), random_tensor({4, 5}, 3)});
  check_bf16(join, {random_tensor({4, 3}, 1), random_tensor({4, 2}, 2)}, 2);
  expect_error(ErrorKind::shape, [&] { ops::concat_columns({a, Tensor::zeros({3, 1})}); });
  expect_error(ErrorKind::shape, [&] { ops::concat_columns({a, b.to(DType::bf16)}); });
  expect_error(ErrorKind::shape, [] { ops::concat_columns({}); });
}

TEST(SliceColumns, ValuesAndGradients) {
  expect_values(ops::slice_columns(Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3}), 1, 3), {2, 3, 5, 6});
  check_gradients([](const std::vector<Tensor>& in) { return ops::slice_columns(in[0], 2, 5); },
                  {random_tensor({4, 7}, 1)});
  check_bf16([](const std::vector<Tensor>& in) { return ops::slice_columns(in[0], 0, 1); }, {random_tensor({4, 7}, 1)},
             1);
  expect_error(ErrorKind::shape, [] { ops::slice_columns(Tensor::zeros({2, 3}), 1, 4); });
  expect_error(ErrorKind::shape, [] { ops::slice_columns(Tensor::zeros({2, 3}), 2, 1); });
}

TEST(SegmentMean, ValuesAndGradients) {
  const std::vector<int64_t> offsets{1, 3, 3, 7};
  const auto mean = [&](const std::vector<Tensor>& in) { return ops::segment_mean(in[0], offsets); };
  expect_values(mean({Tensor::from<float>({9, 1, 2, 3, 4, 5, 6, 9}, {8, 1})}), {1.5f, 0, 4.5f});
  check_gradients(mean, {random_tensor({8, 5}, 1)});
  check_bf16(mean, {random_tensor({8, 5}, 1)}, 1);
  expect_error(ErrorKind::shape, [&] { mean({Tensor::zeros({6, 2})}); });
  expect_error(ErrorKind::shape, [] { ops::segment_mean(Tensor::zeros({6, 2}), std::vector<int64_t>{0, 3, 2}); });
}

TEST(L2Normalize, ValuesAndGradients) {
  expect_values(ops::l2_normalize(Tensor::from<float>({3, 4, 0, 0}, {2, 2})), {0.6f, 0.8f, 0, 0});
  const auto normalize = [](const std::vector<Tensor>& in) { return ops::l2_normalize(in[0]); };
  check_gradients(normalize, {random_tensor({5, 7}, 1)});
  check_gradients([](const std::vector<Tensor>& in) { return ops::l2_normalize(in[0], 1e3f); },
                  {random_tensor({5, 7}, 1)});
  check_bf16(normalize, {random_tensor({5, 7}, 1)}, 1);
}

TEST(ReshapeAndSlice, GradientsFlowThrough) {
  const auto views = [](const std::vector<Tensor>& in) {
    const Tensor x = in[0].reshape({6, 4});
    return ops::add(ops::gelu(x.slice(1, 4)), ops::multiply(x.slice(3, 6), x.slice(0, 3)).reshape({3, 4}));
  };
  check_gradients(views, {random_tensor({2, 12}, 1)});
  check_bf16(views, {random_tensor({2, 12}, 1)}, 1);
}

}  // namespace
}  // namespace sensorium
