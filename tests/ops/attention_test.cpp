// Legend: T rows, H query heads, G key/value heads, D head size.
#include "ops/check.h"

namespace sensorium {
namespace {

using namespace testing;
using ops::Sequences;

// Full matrices in f64. q [T, H D], k and v [S, G D].
std::vector<float> naive_attention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads, int64_t kv_heads,
                                   const Sequences& queries, const Sequences& keys, bool causal) {
  const int64_t dim = q.dim(1) / heads;
  std::vector<float> out(static_cast<size_t>(q.elements()));
  for (size_t s = 0; s < queries.count(); ++s) {
    const int64_t n = queries.offsets[s + 1] - queries.offsets[s], m = keys.offsets[s + 1] - keys.offsets[s];
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t g = h / (heads / kv_heads);
      for (int64_t i = 0; i < n; ++i) {
        const float* query = q.data<float>() + (queries.offsets[s] + i) * q.dim(1) + h * dim;
        const int64_t seen = causal ? i + m - n + 1 : m;
        std::vector<double> p;
        double total = 0;
        for (int64_t j = 0; j < seen; ++j) {
          const float* key = k.data<float>() + (keys.offsets[s] + j) * k.dim(1) + g * dim;
          double dot = 0;
          for (int64_t d = 0; d < dim; ++d) dot += double{query[d]} * key[d];
          p.push_back(std::exp(dot / std::sqrt(static_cast<double>(dim))));
          total += p.back();
        }
        for (int64_t d = 0; d < dim; ++d) {
          double sum = 0;
          for (int64_t j = 0; j < seen; ++j) {
            sum += p[static_cast<size_t>(j)] / total * v.data<float>()[(keys.offsets[s] + j) * v.dim(1) + g * dim + d];
          }
          out[static_cast<size_t>((queries.offsets[s] + i) * q.dim(1) + h * dim + d)] = static_cast<float>(sum);
        }
      }
    }
  }
  return out;
}

TEST(Attention, SelfAttentionOfPackedSequences) {
  const Sequences sequences{{0, 5, 6, 19}};
  for (const bool causal : {true, false}) {
    for (const auto& [heads, kv_heads] : {std::pair<int64_t, int64_t>{2, 2}, {4, 2}, {3, 1}}) {
      SCOPED_TRACE(::testing::Message() << heads << "/" << kv_heads << (causal ? " causal" : ""));
      const int64_t dim = 8, group = kv_heads * dim;
      const Tensor qkv = random_tensor({19, (heads + 2 * kv_heads) * dim}, 1);
      const Tensor q = ops::slice_columns(qkv, 0, heads * dim),
                   k = ops::slice_columns(qkv, heads * dim, heads * dim + group),
                   v = ops::slice_columns(qkv, heads * dim + group, heads * dim + 2 * group);
      const auto self = [&, h = heads, g = kv_heads](const std::vector<Tensor>& in) {
        return ops::self_attention(in[0], h, g, sequences, causal);
      };
      expect_values(self({qkv}), naive_attention(q, k, v, heads, kv_heads, sequences, sequences, causal), 1e-4f);
      check_gradients(self, {qkv});
      check_bf16(self, {qkv}, 1, 0.03);
      EXPECT_EQ(ops::attention(q, k, v, heads, kv_heads, sequences, sequences, causal).to_floats(),
                self({qkv}).to_floats());
    }
  }
}

TEST(Attention, CrossAttentionWithMoreKeysThanQueries) {
  const Sequences queries{{0, 3, 4}}, keys{{0, 7, 8}};
  const Tensor q = random_tensor({4, 16}, 1), k = random_tensor({8, 8}, 2), v = random_tensor({8, 8}, 3);
  for (const bool causal : {true, false}) {
    const auto cross = [&](const std::vector<Tensor>& in) {
      return ops::attention(in[0], in[1], in[2], 2, 1, queries, keys, causal);
    };
    expect_values(cross({q, k, v}), naive_attention(q, k, v, 2, 1, queries, keys, causal), 1e-4f);
    check_gradients(cross, {q, k, v});
    check_bf16(cross, {q, k, v}, 3, 0.03);
  }
}

TEST(Attention, LongSequencesAndLargeHeads) {
  const Sequences sequences{{0, 131, 300}};
  const Tensor qkv = random_tensor({300, 4 * 72}, 1);
  const Tensor q = ops::slice_columns(qkv, 0, 144), k = ops::slice_columns(qkv, 144, 216),
               v = ops::slice_columns(qkv, 216, 288);
  expect_values(ops::self_attention(qkv, 2, 1, sequences, true),
                naive_attention(q, k, v, 2, 1, sequences, sequences, true), 1e-4f);
}

TEST(Attention, RefusesWhatDoesNotFit) {
  const Tensor qkv = Tensor::zeros({4, 32});
  expect_error(ErrorKind::shape, [&] { ops::self_attention(qkv, 2, 2, {{0, 4}}, true); });  // 32 / 6
  expect_error(ErrorKind::shape, [&] { ops::self_attention(qkv, 2, 1, {{0, 3}}, true); });  // one row left over
  expect_error(ErrorKind::shape, [&] { ops::self_attention(qkv, 2, 1, {{0, 3, 2, 4}}, true); });
  expect_error(ErrorKind::shape, [&] {
    ops::self_attention(Tensor::zeros({4, 16}), 2, 1, {{0, 4}}, true);
  });  // head size 4
  expect_error(ErrorKind::shape, [&] { ops::self_attention(Tensor::zeros({4, 56}), 3, 2, {{0, 4}}, true); });
  const Tensor q = Tensor::zeros({4, 8}), k = Tensor::zeros({2, 8});
  expect_error(ErrorKind::shape, [&] { ops::attention(q, k, k, 1, 1, {{0, 4}}, {{0, 2}}, true); });
  expect_error(ErrorKind::shape, [&] { ops::attention(q, k, q, 1, 1, {{0, 4}}, {{0, 2}}, false); });
  expect_error(ErrorKind::shape, [&] { ops::attention(q, k.to(DType::bf16), k, 1, 1, {{0, 4}}, {{0, 2}}, false); });
}

// Normalisation and rotation of one head, in f64.
std::vector<float> naive_head(const float* x, int64_t dim, const float* weight, const int32_t* positions, int axes,
                              double theta) {
  double squares = 0;
  for (int64_t d = 0; d < dim; ++d) squares += double{x[d]} * x[d];
  const double factor = weight ? 1 / std::sqrt(squares / static_cast<double>(dim) + 1e-6) : 1;
  std::vector<double> y;
  for (int64_t d = 0; d < dim; ++d) y.push_back(x[d] * factor * (weight ? weight[d] : 1));
  std::vector<float> turned(y.begin(), y.end());
  const int64_t half = dim / 2, per_axis = half / axes;
  for (int64_t c = 0; positions && c < half; ++c) {
    const int64_t axis = c / per_axis, index = c % per_axis;
    const double angle = positions[axis] * std::pow(theta, -static_cast<double>(index) / static_cast<double>(per_axis));
    turned[static_cast<size_t>(c)] = static_cast<float>(y[static_cast<size_t>(c)] * std::cos(angle) -
                                                        y[static_cast<size_t>(c + half)] * std::sin(angle));
    turned[static_cast<size_t>(c + half)] = static_cast<float>(y[static_cast<size_t>(c + half)] * std::cos(angle) +
                                                               y[static_cast<size_t>(c)] * std::sin(angle));
  }
  return turned;
}

TEST(HeadNormRope, ValuesAndGradients) {
  const int64_t rows = 5, heads = 3, kv_heads = 1, dim = 8;
  const Tensor qkv = random_tensor({rows, 5 * dim}, 1), q_weight = random_tensor({dim}, 2),
               k_weight = random_tensor({dim}, 3);
  const Tensor text = Tensor::from<int32_t>({0, 1, 2, 7, 100}, {rows});
  const Tensor picture = Tensor::from<int32_t>({0, 0, 0, 1, 1, 0, 3, 4, 20, 7}, {rows, 2});
  for (const Tensor& positions : {text, picture, Tensor()}) {
    for (const bool norm : {true, false}) {
      if (!norm && !positions.defined()) continue;
      const int axes = positions.defined() && positions.rank() == 2 ? 2 : 1;
      std::vector<float> expected;
      for (int64_t r = 0; r < rows; ++r) {
        const int32_t* at = positions.defined() ? positions.data<int32_t>() + r * axes : nullptr;
        for (int64_t h = 0; h < 5; ++h) {
          const float* x = qkv.data<float>() + (r * 5 + h) * dim;
          const bool value = h == 4;
          const float* weight = !norm || value ? nullptr : h < 3 ? q_weight.data<float>() : k_weight.data<float>();
          const std::vector<float> head = naive_head(x, dim, weight, value ? nullptr : at, axes, 100.0);
          expected.insert(expected.end(), head.begin(), head.end());
        }
      }
      const auto apply = [&](const std::vector<Tensor>& in) {
        return ops::head_norm_rope(in[0], heads, kv_heads, in[1], in[2], positions, 100.0f);
      };
      const std::vector<Tensor> inputs =
          norm ? std::vector<Tensor>{qkv, q_weight, k_weight} : std::vector<Tensor>{qkv, Tensor(), Tensor()};
      expect_values(apply(inputs), expected, 1e-4f);
      check_gradients(apply, inputs);
      check_bf16(apply, inputs, 1);
    }
  }
  EXPECT_EQ(ops::head_norm_rope(qkv, heads, kv_heads, {}, {}, {}, 1.0f).id(), qkv.id());
}

TEST(HeadNormRope, RefusesWhatDoesNotFit) {
  const Tensor qkv = Tensor::zeros({2, 24}), weight = Tensor::zeros({8});
  const Tensor positions = Tensor::from<int32_t>({0, 1}, {2});
  expect_error(ErrorKind::shape, [&] { ops::head_norm_rope(qkv, 3, 2, {}, {}, positions, 1.0f); });
  expect_error(ErrorKind::shape, [&] { ops::head_norm_rope(qkv, 1, 1, weight, {}, positions, 1.0f); });
  expect_error(ErrorKind::shape, [&] { ops::head_norm_rope(qkv, 1, 1, Tensor::zeros({4}), weight, positions, 1.0f); });
  expect_error(ErrorKind::shape,
               [&] { ops::head_norm_rope(qkv, 1, 1, weight, weight, Tensor::zeros({3}, DType::i32), 1.0f); });
  expect_error(ErrorKind::shape, [&] { ops::head_norm_rope(qkv, 1, 1, weight, weight, Tensor::zeros({2}), 1.0f); });
}

}  // namespace
}  // namespace sensorium
