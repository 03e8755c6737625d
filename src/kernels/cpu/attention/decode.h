// Few query rows against many keys: bound by reading the cache, so keys and values are used where they lie, a block of rows
// widened to f32 at a time.
#pragma once

#include "kernels/cpu/attention/tiles.h"

SENSORIUM_ISA_BEGIN
namespace {

struct AttentionDecode : Tiles<F32> {
  static constexpr int64_t kBlock = W;   // keys widened at once: their scores are one vector
  static constexpr int64_t kAhead = 32;  // rows between a prefetch and its use

  struct Layout {
    int64_t rows, keys, Dp;
    float *q = nullptr, *scores = nullptr, *block = nullptr;
    void place(Arena& arena) {
      q = arena.template take<float>(rows * Dp);
      scores = arena.template take<float>(rows * round_up(keys, kBlock));
      block = arena.template take<float>(kBlock * Dp);
    }
  };

  // Rows row..row+count as f32 [kBlock][Dp], zeros after them. A block never crosses pages. `end`: of all rows.
  static void widen_block(const KvRows& rows, int64_t row, int64_t count, int64_t end, int64_t D, int64_t Dp,
                          float* to) {
    const int64_t bytes = D * static_cast<int64_t>(size_of(rows.type));
    const char* from = rows.row(row);
    // Rows of one head may stand far apart: the machine's own prefetch does not see them coming.
    const char* ahead = rows.row(min(row + kAhead, end - 1));
    for (int64_t s = 0; s < kBlock; ++s, to += Dp, from += rows.step, ahead += rows.step) {
      if (s < count) {
        for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(ahead + b);
        widen_row(from, rows.type, D, to);
      } else {
        std::memset(to, 0, static_cast<size_t>(D) * sizeof(float));
      }
    }
  }
  // values[r * stride .. + kBlock] times the scales of the rows of a block of i8, of which `count` are there.
  static void scale_block(const KvRows& keys, int64_t row, int64_t count, int64_t rows, float* values, int64_t stride) {
    if (keys.type != DType::i8) return;
    float scales[kBlock] = {};
    std::memcpy(scales, keys.scale(row), static_cast<size_t>(count) * sizeof(float));
    for (int64_t r = 0; r < rows; ++r) {
      float* to = values + r * stride;
      F32::store(to, F32::multiply(F32::load(to), F32::load(scales)));
    }
  }

  // out[r * stride .. + kBlock] = row r of q times every row of the block.
  static void block_scores(const float* q, int64_t rows, const float* block, int64_t Dp, float* out, int64_t stride) {
    for (int64_t r = 0; r < rows; ++r) {
      Vec sums[kBlock];
      SENSORIUM_UNROLL
      for (int s = 0; s < kBlock; ++s) sums[s] = F32::zero();
      for (int64_t d = 0; d < Dp; d += W) {
        const Vec qv = F32::load(q + r * Dp + d);
        SENSORIUM_UNROLL
        for (int s = 0; s < kBlock; ++s) sums[s] = F32::multiply_add_f32(qv, F32::load(block + s * Dp + d), sums[s]);
      }
      F32::store(out + r * stride, F32::reduce_each(sums));
    }
  }

  // sums[r] += weights[r * stride .. + kBlock] times the rows of the block.
  static void add_values(const float* weights, int64_t stride, int64_t rows, const float* block, int64_t Dp,
                         float* sums) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t d = 0; d < Dp; d += W) {
        Vec even = F32::load(sums + r * Dp + d), odd = F32::zero();
        SENSORIUM_UNROLL
        for (int s = 0; s < kBlock; s += 2) {
          even = F32::multiply_add_f32(F32::set1(weights[r * stride + s]), F32::load(block + s * Dp + d), even);
          odd = F32::multiply_add_f32(F32::set1(weights[r * stride + s + 1]), F32::load(block + (s + 1) * Dp + d), odd);
        }
        F32::store(sums + r * Dp + d, F32::add(even, odd));
      }
    }
  }

  // Keys key_begin..key_end of one sequence and key/value head, for the `rows` = group * T query rows that share it.
  static void run(const AttentionArgs& args, int64_t sequence, int64_t kv_head, int64_t key_begin, int64_t key_end,
                  float* records) {
    const int64_t D = args.head_dim, Dp = round_up(D, W), group = args.heads / args.kv_heads;
    const int64_t q0 = args.query_offsets[sequence];
    const int64_t T = args.query_offsets[sequence + 1] - q0;
    const int64_t all_keys = args.key_offsets[sequence + 1] - args.key_offsets[sequence];
    const int64_t rows = group * T, count = key_end - key_begin, stride = round_up(count, kBlock);
    Layout at{rows, count, Dp};
    allocate(at);
    std::memset(at.block, 0, static_cast<size_t>(kBlock * Dp) * sizeof(float));
    // Row j * T + t: query row t of the group's j-th head, times the scale and log2(e).
    std::memset(at.q, 0, static_cast<size_t>(rows * Dp) * sizeof(float));
    for (int64_t r = 0; r < rows; ++r) {
      float* q = at.q + r * Dp;
      widen_row(address(args.q, kv_head * group + r / T, q0 + r % T), args.q.dtype, D, q);
      for (int64_t d = 0; d < D; ++d) q[d] *= args.scale * kLog2E;
    }
    const KvRows keys(args.k, sequence, args.key_offsets[sequence], kv_head);
    for (int64_t s = 0; s < count; s += kBlock) {
      const int64_t some = min(kBlock, count - s);
      widen_block(keys, key_begin + s, some, key_end, D, Dp, at.block);
      block_scores(at.q, rows, at.block, Dp, at.scores + s, stride);
      scale_block(keys, key_begin + s, some, rows, at.scores + s, stride);
    }
    for (int64_t r = 0; r < rows; ++r) {
      float* record = records + r * decode_record(D);
      float* scores = at.scores + r * stride;
      const int64_t seen = args.causal ? max(0, min(count, r % T + all_keys - T + 1 - key_begin)) : count;
      for (int64_t s = seen; s < stride; ++s) scores[s] = kMasked;
      Vec high = F32::set1(kMasked), sum = F32::zero();
      for (int64_t s = 0; s < stride; s += W) high = F32::max(high, F32::load(scores + s));
      const float largest = F32::reduce_max(high);
      for (int64_t s = 0; s < stride; s += W) {
        const Vec weight = F32::exp2(F32::subtract(F32::load(scores + s), F32::set1(largest)));
        F32::store(scores + s, weight);
        sum = F32::add(sum, weight);
      }
      record[0] = largest;
      record[1] = seen > 0 ? F32::reduce_add(sum) : 0.0f;
      record[2] = record[3] = 0.0f;
    }
    float* sums = at.q;  // the queries are done with
    std::memset(sums, 0, static_cast<size_t>(rows * Dp) * sizeof(float));
    const KvRows values(args.v, sequence, args.key_offsets[sequence], kv_head);
    for (int64_t s = 0; s < count; s += kBlock) {
      const int64_t some = min(kBlock, count - s);
      widen_block(values, key_begin + s, some, key_end, D, Dp, at.block);
      scale_block(values, key_begin + s, some, rows, at.scores + s, stride);
      add_values(at.scores + s, stride, rows, at.block, Dp, sums);
    }
    for (int64_t r = 0; r < rows; ++r) {
      std::memcpy(records + r * decode_record(D) + 4, sums + r * Dp, static_cast<size_t>(D) * sizeof(float));
    }
  }
};

}  // namespace
SENSORIUM_ISA_END
