// Legend: T rows, C channels.
#include "nn/kv_cache.h"

#include <cmath>
#include <numeric>

#include "base/sha256.h"
#include "nn/modules.h"
#include "ops/check.h"

namespace sensorium {
namespace {

using namespace testing;
using nn::KvCache;
using nn::KvLayout;
using nn::KvPool;

constexpr int64_t kBlock = KvLayout::kBlockTokens;

std::shared_ptr<KvPool> pool_of(const KvLayout& layout, size_t max_bytes = size_t{64} << 20) {
  return std::make_shared<KvPool>(layout, max_bytes);
}

// The keys or values of a cache's layer as floats, [length, kv_heads * head_dim].
std::vector<float> rows_of(const KvCache& cache, int64_t layer, bool keys) {
  const KvLayout& layout = cache.layout();
  std::vector<float> rows;
  for (int64_t t = 0; t < cache.length(); ++t) {
    const auto* part = static_cast<const std::byte*>(cache.pages()[static_cast<size_t>(t / kBlock)]) +
                       (keys ? layout.keys_offset(layer) : layout.values_offset(layer));
    for (int64_t head = 0; head < layout.kv_heads; ++head) {
      const int64_t row = head * kBlock + t % kBlock;
      for (int64_t d = 0; d < layout.head_dim; ++d) {
        const int64_t at = row * layout.head_dim + d;
        if (layout.dtype == DType::i8) {
          rows.push_back(static_cast<float>(reinterpret_cast<const int8_t*>(part)[at]) *
                         reinterpret_cast<const float*>(part + layout.scales_offset())[row]);
        } else if (layout.dtype == DType::f16) {
          rows.push_back(static_cast<float>(reinterpret_cast<const f16*>(part)[at]));
        } else {
          rows.push_back(reinterpret_cast<const float*>(part)[at]);
        }
      }
    }
  }
  return rows;
}

TEST(KvCache, AppendsConvertsAndForgets) {
  KvCache cache(pool_of({.layers = 2, .kv_heads = 2, .head_dim = 1, .dtype = DType::f16}), 3);
  const std::vector<float> rows{1, 2, -1, -2, 9, 3, 4, -3, -4, 9};  // k, v and one more column per row
  expect_error(ErrorKind::limit, [&] { cache.append(1, rows.data(), rows.data() + 2, DType::f32, 5, 2); });
  cache.reserve(2);
  cache.append(1, rows.data(), rows.data() + 2, DType::f32, 5, 2);
  EXPECT_EQ(cache.length(), 0);
  cache.advance(2);
  EXPECT_EQ(cache.length(), 2);
  EXPECT_EQ(rows_of(cache, 1, true), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(rows_of(cache, 1, false), (std::vector<float>{-1, -2, -3, -4}));
  expect_error(ErrorKind::limit, [&] { cache.reserve(2); });
  expect_error(ErrorKind::limit, [&] { cache.advance(2); });
  expect_error(ErrorKind::shape, [&] { cache.truncate(3); });
  cache.truncate(1);
  cache.reserve(2);
  cache.append(1, rows.data(), rows.data() + 2, DType::f32, 5, 2);
  cache.advance(2);
  EXPECT_EQ(rows_of(cache, 1, true), (std::vector<float>{1, 2, 1, 2, 3, 4}));
  expect_error(ErrorKind::shape, [] { pool_of({.layers = 1, .kv_heads = 1, .head_dim = 8, .dtype = DType::i32}); });
  expect_error(ErrorKind::shape, [] { pool_of({.layers = 1, .kv_heads = 0, .head_dim = 8}); });
}

// Random rows into one layer, over the borders of blocks.
void append_random(KvCache& cache, int64_t rows, uint64_t seed) {
  const int64_t width = cache.layout().kv_heads * cache.layout().head_dim;
  const Tensor kv = random_tensor({rows, 2 * width}, seed);
  cache.reserve(rows);
  cache.append(0, kv.raw(), kv.data<float>() + width, DType::f32, 2 * width, rows);
  cache.advance(rows);
}

TEST(KvCache, BytesAreWithinHalfAStepOfTheirScale) {
  const KvLayout layout{.layers = 1, .kv_heads = 2, .head_dim = 24, .dtype = DType::i8};
  KvLayout exact = layout;
  exact.dtype = DType::f32;
  KvCache bytes(pool_of(layout), 200), floats(pool_of(exact), 200);
  for (KvCache* cache : {&bytes, &floats}) {
    append_random(*cache, 70, 1);
    append_random(*cache, 90, 2);
  }
  for (const bool keys : {true, false}) {
    const std::vector<float> got = rows_of(bytes, 0, keys), want = rows_of(floats, 0, keys);
    for (size_t row = 0; row < want.size(); row += 24) {
      float most = 0;
      for (size_t d = 0; d < 24; ++d) most = std::max(most, std::abs(want[row + d]));
      for (size_t d = 0; d < 24; ++d) EXPECT_LE(std::abs(got[row + d] - want[row + d]), most / 127 * 0.5001f);
    }
  }
}

TEST(KvCache, AForkSharesWhatBothHave) {
  const KvLayout layout{.layers = 1, .kv_heads = 1, .head_dim = 8, .dtype = DType::f32};
  const auto pool = pool_of(layout);
  KvCache first(pool, 500);
  append_random(first, 100, 1);
  const std::vector<float> before = rows_of(first, 0, true);
  KvCache second = first;
  EXPECT_EQ(pool->statistics().bytes, 2 * layout.block_bytes());
  append_random(second, 3, 2);  // into the second block, which is copied
  EXPECT_EQ(pool->statistics().bytes, 3 * layout.block_bytes());
  EXPECT_EQ(first.blocks()[0], second.blocks()[0]);
  EXPECT_NE(first.blocks()[1], second.blocks()[1]);
  append_random(first, 60, 3);
  EXPECT_EQ(first.length(), 160);
  EXPECT_EQ(second.length(), 103);
  const std::vector<float> one = rows_of(first, 0, true), two = rows_of(second, 0, true);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), one.begin()));
  EXPECT_TRUE(std::equal(before.begin(), before.end(), two.begin()));
  EXPECT_NE(one[before.size()], two[before.size()]);
  first = KvCache();
  EXPECT_EQ(pool->statistics().bytes, 2 * layout.block_bytes());
}

using Keys = std::vector<nn::KvKey>;
nn::KvKey key_of(const std::string& text) { return sha256(text); }

TEST(KvPool, ForgetsTheBlocksUsedLongestAgo) {
  const KvLayout layout{.layers = 1, .kv_heads = 1, .head_dim = 8, .dtype = DType::f32};
  const auto pool = pool_of(layout, 3 * layout.block_bytes());
  KvCache cache(pool, 1000);
  append_random(cache, 3 * kBlock, 1);
  for (size_t i = 0; i < 3; ++i) pool->keep(Keys{key_of(std::to_string(i))}, cache.blocks()[i]);
  // All are in use: nothing can go.
  expect_error(ErrorKind::limit, [&] { append_random(cache, 1, 2); });
  EXPECT_EQ(cache.length(), 3 * kBlock);
  cache.truncate(0);
  EXPECT_EQ(pool->statistics().kept, 3u);
  EXPECT_TRUE(pool->find(key_of("0")));
  // The next block takes the place of 1, the one after of 2; 0 was used last.
  append_random(cache, 1, 3);
  EXPECT_FALSE(pool->find(key_of("1")));
  EXPECT_TRUE(pool->find(key_of("2")));
  EXPECT_TRUE(pool->find(key_of("0")));
  KvCache other(pool, 1000);
  append_random(other, 1, 4);
  EXPECT_FALSE(pool->find(key_of("2")));
  EXPECT_TRUE(pool->find(key_of("0")));
  const KvPool::Statistics statistics = pool->statistics();
  EXPECT_EQ(statistics.evicted, 2u);
  EXPECT_EQ(statistics.hits, 4u);
  EXPECT_EQ(statistics.misses, 2u);
  EXPECT_EQ(statistics.bytes, statistics.max_bytes);
  pool->clear();
  EXPECT_FALSE(pool->find(key_of("0")));
}

TEST(KvPool, ABlockInUseStaysThoughItWasUsedLongestAgo) {
  const KvLayout layout{.layers = 1, .kv_heads = 1, .head_dim = 8, .dtype = DType::f32};
  const auto pool = pool_of(layout, 2 * layout.block_bytes());
  KvCache first(pool, 1000);
  append_random(first, kBlock, 1);
  pool->keep(Keys{key_of("first")}, first.blocks()[0]);
  {
    KvCache second(pool, 1000);
    append_random(second, kBlock, 2);
    pool->keep(Keys{key_of("second")}, second.blocks()[0]);
  }
  append_random(first, 1, 3);
  EXPECT_TRUE(pool->find(key_of("first")));
  EXPECT_FALSE(pool->find(key_of("second")));
}

TEST(KvPool, FindsABlockByEachOfItsKeys) {
  const KvLayout layout{.layers = 1, .kv_heads = 1, .head_dim = 8, .dtype = DType::f32};
  const auto pool = pool_of(layout);
  KvCache cache(pool, 200);
  append_random(cache, 2 * kBlock, 1);
  pool->keep(Keys{key_of("a"), key_of("b")}, cache.blocks()[0]);
  // A key that is taken stays; a block without a key of its own is not kept.
  pool->keep(Keys{key_of("b"), key_of("c")}, cache.blocks()[1]);
  pool->keep(Keys{key_of("a")}, cache.blocks()[1]);
  EXPECT_EQ(pool->find(key_of("a")), cache.blocks()[0]);
  EXPECT_EQ(pool->find(key_of("b")), cache.blocks()[0]);
  EXPECT_EQ(pool->find(key_of("c")), cache.blocks()[1]);
  EXPECT_EQ(pool->statistics().kept, 2u);
  cache = KvCache();
  pool->clear();
  for (const char* key : {"a", "b", "c"}) EXPECT_FALSE(pool->find(key_of(key))) << key;
}

TEST(KvCache, AdoptsBlocksAtABorder) {
  const KvLayout layout{.layers = 1, .kv_heads = 1, .head_dim = 8, .dtype = DType::f32};
  const auto pool = pool_of(layout);
  KvCache first(pool, 200), second(pool, 100);
  append_random(first, 130, 1);
  second.adopt(first.blocks()[0], kBlock);
  EXPECT_EQ(second.length(), kBlock);
  expect_error(ErrorKind::shape, [&] { second.adopt(first.blocks()[1], kBlock); });  // beyond its capacity
  append_random(second, 5, 2);
  EXPECT_EQ(first.blocks()[0], second.blocks()[0]);
  // Of another's block some tokens: what is written behind them goes into a copy.
  KvCache part(pool, 300);
  const std::vector<float> before = rows_of(first, 0, true);
  for (const int64_t tokens : {int64_t{0}, kBlock + 1})
    expect_error(ErrorKind::shape, [&] { part.adopt(first.blocks()[0], tokens); });
  part.adopt(first.blocks()[0], 16);
  expect_error(ErrorKind::shape, [&] { part.adopt(first.blocks()[1], 16); });
  append_random(part, 60, 4);
  EXPECT_EQ(part.length(), 76);
  EXPECT_EQ(rows_of(first, 0, true), before);
  const std::vector<float> own = rows_of(part, 0, true);
  EXPECT_TRUE(std::equal(own.begin(), own.begin() + 16 * 8, before.begin()));
  EXPECT_NE(own[16 * 8], before[16 * 8]);
  KvCache third(pool, 500);
  append_random(third, 5, 2);
  expect_error(ErrorKind::shape, [&] { third.adopt(first.blocks()[0], kBlock); });
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
  // Feeds rows of each sequence from where its cache ends up to end[i].
  Tensor step(const std::vector<Tensor>& sequences, const std::vector<int64_t>& end,
              std::vector<KvCache>& caches) const {
    std::vector<Tensor> parts;
    std::vector<int32_t> positions;
    std::vector<KvCache*> all;
    ops::Sequences fed{{0}};
    for (size_t i = 0; i < sequences.size(); ++i) {
      const int64_t begin = caches[i].length();
      all.push_back(&caches[i]);
      parts.push_back(sequences[i].slice(begin, end[i]));
      for (int64_t p = begin; p < end[i]; ++p) positions.push_back(static_cast<int32_t>(p));
      fed.offsets.push_back(static_cast<int32_t>(positions.size()));
    }
    Tensor x_TC = ops::concat_rows(parts);
    const Tensor at = Tensor::from(positions, {x_TC.dim(0)});
    nn::KvBatch batch(all, fed);
    for (size_t i = 0; i < blocks.size(); ++i) x_TC = blocks[i].cached(x_TC, at, batch, static_cast<int64_t>(i));
    batch.advance();
    return x_TC;
  }
};

void compare_with_full_forward(DType dtype, DType cache, double tolerance) {
  const NoGrad no_grad;
  const TinyStack stack;
  const int64_t A = 150, B = 75;
  const Tensor a = random_tensor({A, 32}, 1).to(dtype), b = random_tensor({B, 32}, 2).to(dtype);
  std::vector<int32_t> positions(static_cast<size_t>(A + B));
  std::iota(positions.begin(), positions.begin() + A, 0);
  std::iota(positions.begin() + A, positions.end(), 0);
  const Tensor full = stack.full(ops::concat_rows({a, b}), Tensor::from(positions, {A + B}),
                                 {{0, static_cast<int32_t>(A), static_cast<int32_t>(A + B)}});
  const auto pool = pool_of({.layers = 3, .kv_heads = 2, .head_dim = 16, .dtype = cache});
  std::vector<KvCache> caches(2, KvCache(pool, 200));
  // Prompts of different lengths, then single tokens, a sequence that pauses, several tokens at once, borders of blocks.
  int64_t done_a = 0, done_b = 0;
  for (const auto& [end_a, end_b] :
       {std::pair<int64_t, int64_t>{50, 2}, {60, 3}, {61, 63}, {61, 64}, {70, 65}, {128, 65}, {129, 70}, {150, 75}}) {
    const Tensor y = stack.step({a, b}, {end_a, end_b}, caches);
    const Tensor expected = ops::concat_rows({full.slice(done_a, end_a), full.slice(A + done_b, A + end_b)});
    EXPECT_LT(relative_error(y, expected), tolerance) << end_a;
    done_a = end_a;
    done_b = end_b;
  }
  // A common prefix is used again.
  caches[0].truncate(40);
  EXPECT_LT(relative_error(stack.step({a, b}, {90, 75}, caches), full.slice(40, 90)), tolerance);
}

TEST(KvCache, CachedEqualsFullForward) { compare_with_full_forward(DType::f32, DType::f32, 1e-5); }
TEST(KvCache, CachedEqualsFullForwardInBf16) { compare_with_full_forward(DType::bf16, DType::bf16, 0.02); }
TEST(KvCache, CachedEqualsFullForwardWithHalves) { compare_with_full_forward(DType::f32, DType::f16, 2e-3); }
// Each key and value is off by at most 1/254 of the largest of its row.
TEST(KvCache, CachedIsNearTheFullForwardWithBytes) {
  compare_with_full_forward(DType::f32, DType::i8, 0.02);
  compare_with_full_forward(DType::bf16, DType::i8, 0.03);
}

TEST(KvCache, RefusesAnotherModelsCache) {
  const TinyStack stack;
  const Tensor x = Tensor::zeros({1, 32}), at = Tensor::zeros({1}, DType::i32);
  KvCache cache(pool_of({.layers = 2, .kv_heads = 2, .head_dim = 16}), 4);
  KvCache narrow(pool_of({.layers = 2, .kv_heads = 2, .head_dim = 8}), 4);
  KvCache* const caches[] = {&cache};
  KvCache* const mixed[] = {&cache, &narrow};
  nn::KvBatch batch(caches, {{0, 1}});
  expect_error(ErrorKind::shape, [&] { stack.blocks[0].cached(x, at, batch, 2); });
  expect_error(ErrorKind::shape, [&] { stack.blocks[0].cached(Tensor::zeros({2, 32}), at, batch, 0); });
  expect_error(ErrorKind::shape, [&] { nn::KvBatch(caches, {{0, 1, 1}}); });
  expect_error(ErrorKind::shape, [&] { nn::KvBatch(mixed, {{0, 1, 2}}); });
  expect_error(ErrorKind::limit, [&] { nn::KvBatch(caches, {{0, 5}}); });
}

}  // namespace
}  // namespace sensorium
