// Few query rows against many keys: bound by reading the cache, so keys and values are used where they lie.
#pragma once

#include "kernels/cpu/attention/tiles.h"

SENSORIUM_ISA_BEGIN
namespace {

template <class Simd>
struct AttentionDecode : Tiles<Simd> {
  using Base = Tiles<Simd>;
  using typename Base::Arena;
  using typename Base::Vec;
  using Base::W;

  struct Layout {
    int64_t rows, keys, Dp;
    float *q = nullptr, *scores = nullptr, *row = nullptr;
    void place(Arena& arena) {
      q = arena.template take<float>(rows * Dp);
      scores = arena.template take<float>(rows * Base::round_up(keys, W));
      row = arena.template take<float>(2 * Dp);
    }
  };

  static void run(const AttentionArgs& args, int64_t sequence, int64_t kv_head, int64_t key_begin, int64_t key_end,
                  float* records) {
    const int64_t D = args.head_dim, Dp = Base::round_up(D, W), vectors = Dp / W, group = args.heads / args.kv_heads;
    const int64_t q0 = args.query_offsets[sequence], k0 = args.key_offsets[sequence];
    const int64_t T = args.query_offsets[sequence + 1] - q0, all_keys = args.key_offsets[sequence + 1] - k0;
    const int64_t rows = group * T, count = key_end - key_begin, stride = Base::round_up(count, W);
    Layout at{rows, count, Dp};
    Base::allocate(at);
    // Row j * T + t: query row t of the group's j-th head, times the scale and log2(e).
    const Vec factor = Simd::set1(args.scale * kLog2E);
    std::memset(at.q, 0, static_cast<size_t>(rows * Dp) * sizeof(float));
    for (int64_t r = 0; r < rows; ++r) {
      const char* from = Base::address(args.q, kv_head * group + r / T, q0 + r % T);
      widen_row(from, args.q.dtype, D, at.q + r * Dp);
      for (int64_t v = 0; v < vectors; ++v) {
        Simd::store(at.q + r * Dp + v * W, Simd::multiply(Simd::load(at.q + r * Dp + v * W), factor));
      }
    }
    float* key = at.row;
    std::memset(key, 0, static_cast<size_t>(2 * Dp) * sizeof(float));
    for (int64_t s = 0; s < count; ++s) {
      widen_row(Base::address(args.k, kv_head, k0 + key_begin + s), args.k.dtype, D, key);
      for (int64_t r = 0; r < rows; ++r) {
        Vec sum = Simd::zero();
        for (int64_t v = 0; v < vectors; ++v) {
          sum = Simd::multiply_add_f32(Simd::load(at.q + r * Dp + v * W), Simd::load(key + v * W), sum);
        }
        at.scores[r * stride + s] = Simd::reduce_add(sum);
      }
    }
    for (int64_t r = 0; r < rows; ++r) {
      float* record = records + r * decode_record(D);
      float* scores = at.scores + r * stride;
      const int64_t limit = args.causal ? r % T + all_keys - T + 1 - key_begin : count;
      float largest = kMasked, total = 0.0f;
      for (int64_t s = 0; s < Base::min(count, limit); ++s) largest = scores[s] > largest ? scores[s] : largest;
      for (int64_t s = Base::max(0, Base::min(count, limit)); s < stride; ++s) scores[s] = kMasked;
      const Vec shift = Simd::set1(largest);
      Vec sum = Simd::zero();
      for (int64_t s = 0; s < stride; s += W) {
        const Vec weight = Simd::exp2(Simd::subtract(Simd::load(scores + s), shift));
        Simd::store(scores + s, weight);
        sum = Simd::add(sum, weight);
      }
      total = Simd::reduce_add(sum);
      record[0] = largest;
      record[1] = limit > 0 ? total : 0.0f;
      record[2] = record[3] = 0.0f;
    }
    float* sums = at.q;  // the queries are done with
    std::memset(sums, 0, static_cast<size_t>(rows * Dp) * sizeof(float));
    for (int64_t s = 0; s < count; ++s) {
      widen_row(Base::address(args.v, kv_head, k0 + key_begin + s), args.v.dtype, D, key);
      for (int64_t r = 0; r < rows; ++r) {
        const Vec weight = Simd::set1(at.scores[r * stride + s]);
        for (int64_t v = 0; v < vectors; ++v) {
          float* to = sums + r * Dp + v * W;
          Simd::store(to, Simd::multiply_add_f32(weight, Simd::load(key + v * W), Simd::load(to)));
        }
      }
    }
    for (int64_t r = 0; r < rows; ++r) {
      std::memcpy(records + r * decode_record(D) + 4, sums + r * Dp, static_cast<size_t>(D) * sizeof(float));
    }
  }
};

}  // namespace
SENSORIUM_ISA_END
