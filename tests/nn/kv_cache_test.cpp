// Legend: T rows, C channels.
#include "nn/kv_cache.h"

#include <numeric>

#include "nn/modules.h"
#include "ops/check.h"

namespace sensorium {
namespace {

using namespace testing;
using nn::KvCache;

TEST(KvCache, AppendsConvertsAndForgets) {
  KvCache cache({.layers = 2, .kv_heads = 1, .head_dim = 2, .capacity = 3, .sequences = 2, .dtype = DType::f16});
  const std::vector<float> rows{1, 2, -1, -2, 9, 3, 4, -3, -4, 9};  // k, v and one more column per row
  cache.append(1, 1, rows.data(), rows.data() + 2, DType::f32, 5, 2);
  EXPECT_EQ(cache.length(1), 0);
  cache.advance(1, 2);
  EXPECT_EQ(cache.length(1), 2);
  EXPECT_EQ(cache.length(0), 0);
  const auto* keys = static_cast<const f16*>(cache.keys(1, 1));
  const auto* values = static_cast<const f16*>(cache.values(1, 1));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(static_cast<float>(keys[i]), static_cast<float>(i + 1));
    EXPECT_EQ(static_cast<float>(values[i]), static_cast<float>(-i - 1));
  }
  expect_error(ErrorKind::limit, [&] { cache.append(1, 1, rows.data(), rows.data() + 2, DType::f32, 5, 2); });
  expect_error(ErrorKind::limit, [&] { cache.advance(1, 2); });
  expect_error(ErrorKind::shape, [&] { cache.truncate(1, 3); });
  cache.truncate(1, 1);
  cache.append(1, 1, rows.data(), rows.data() + 2, DType::f32, 5, 2);
  EXPECT_EQ(static_cast<float>(keys[2]), 1.0f);
  expect_error(ErrorKind::shape,
               [] { KvCache({.layers = 1, .kv_heads = 1, .head_dim = 8, .capacity = 1, .dtype = DType::i8}); });
}

struct TinyStack {
  nn::ParameterStore store{3};
  nn::AttentionConfig config{.dim = 32, .heads = 4, .kv_heads = 2, .head_dim = 16};
  std::vector<nn::TransformerBlock> blocks;

  TinyStack() {
    for (int i = 0; i < 3; ++i) blocks.emplace_back(store, "layers." + std::to_string(i), config, 40);
  }
  Tensor full(Tensor x_TC, const Tensor& positions, const ops::Sequences& sequences) const {
    for (const nn::TransformerBlock& block : blocks) x_TC = block(x_TC, positions, sequences);
    return x_TC;
  }
  // Feeds rows begin[i]..end[i] of each sequence.
  Tensor step(const std::vector<Tensor>& sequences, const std::vector<int64_t>& end, KvCache& cache) const {
    std::vector<Tensor> parts;
    std::vector<int32_t> positions;
    ops::Sequences fed{{0}};
    for (size_t i = 0; i < sequences.size(); ++i) {
      const int64_t begin = cache.length(static_cast<int64_t>(i));
      parts.push_back(sequences[i].slice(begin, end[i]));
      for (int64_t p = begin; p < end[i]; ++p) positions.push_back(static_cast<int32_t>(p));
      fed.offsets.push_back(static_cast<int32_t>(positions.size()));
    }
    Tensor x_TC = ops::concat_rows(parts);
    const Tensor at = Tensor::from(positions, {x_TC.dim(0)});
    for (size_t i = 0; i < blocks.size(); ++i) x_TC = blocks[i].cached(x_TC, at, fed, cache, static_cast<int64_t>(i));
    for (size_t i = 0; i < sequences.size(); ++i) {
      cache.advance(static_cast<int64_t>(i), fed.offsets[i + 1] - fed.offsets[i]);
    }
    return x_TC;
  }
};

void compare_with_full_forward(DType dtype, double tolerance) {
  const NoGrad no_grad;
  const TinyStack stack;
  const Tensor a = random_tensor({11, 32}, 1).to(dtype), b = random_tensor({6, 32}, 2).to(dtype);
  std::vector<int32_t> positions(17);
  std::iota(positions.begin(), positions.begin() + 11, 0);
  std::iota(positions.begin() + 11, positions.end(), 0);
  const Tensor full = stack.full(ops::concat_rows({a, b}), Tensor::from(positions, {17}), {{0, 11, 17}});
  KvCache cache({.layers = 3, .kv_heads = 2, .head_dim = 16, .capacity = 12, .sequences = 2, .dtype = dtype});
  // Prompts of different lengths, then single tokens, a sequence that pauses, several tokens at once.
  int64_t done_a = 0, done_b = 0;
  for (const auto& [end_a, end_b] : {std::pair<int64_t, int64_t>{5, 2}, {6, 3}, {7, 3}, {7, 4}, {10, 6}, {11, 6}}) {
    const Tensor y = stack.step({a, b}, {end_a, end_b}, cache);
    const Tensor expected = ops::concat_rows({full.slice(done_a, end_a), full.slice(11 + done_b, 11 + end_b)});
    EXPECT_LT(relative_error(y, expected), tolerance);
    done_a = end_a;
    done_b = end_b;
  }
  // A common prefix is used again.
  cache.truncate(0, 4);
  cache.truncate(1, 6);
  EXPECT_LT(relative_error(stack.step({a, b}, {9, 6}, cache), full.slice(4, 9)), tolerance);
}

TEST(KvCache, CachedEqualsFullForward) { compare_with_full_forward(DType::f32, 1e-5); }
TEST(KvCache, CachedEqualsFullForwardInBf16) { compare_with_full_forward(DType::bf16, 0.02); }

TEST(KvCache, RefusesAnotherModelsCache) {
  const TinyStack stack;
  KvCache cache({.layers = 2, .kv_heads = 2, .head_dim = 16, .capacity = 4});
  const Tensor x = Tensor::zeros({1, 32}), at = Tensor::zeros({1}, DType::i32);
  expect_error(ErrorKind::shape, [&] { stack.blocks[0].cached(x, at, {{0, 1}}, cache, 2); });
  expect_error(ErrorKind::shape, [&] { stack.blocks[0].cached(x, at, {{0, 1, 1}}, cache, 0); });
  expect_error(ErrorKind::limit, [&] {
    stack.blocks[0].cached(Tensor::zeros({5, 32}), Tensor::zeros({5}, DType::i32), {{0, 5}}, cache, 0);
  });
}

}  // namespace
}  // namespace sensorium
