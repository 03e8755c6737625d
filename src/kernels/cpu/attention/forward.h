// Forward pass: scores of a block of rows against a block of keys, online softmax, weighted sums of values.
#pragma once

#include <cmath>

#include "kernels/cpu/attention/tiles.h"

SENSORIUM_ISA_BEGIN
namespace {

template <class Simd>
struct AttentionForward : Tiles<Simd> {
  using Base = Tiles<Simd>;
  using Base::kKeyBlock;
  using Base::kMostKeys;
  using Base::kPanel;
  using Base::kRowBlock;
  using Base::U;
  using Base::W;
  using typename Base::Arena;
  using typename Base::Elem;
  using typename Base::Product;
  using typename Base::Rows;
  using typename Base::Vec;

  struct Layout {
    int64_t keys, rows, D;
    const AttentionArgs& args;
    static constexpr int64_t kScoreStride = kMostKeys + 2 * W, kWeightStride = kMostKeys + 2 * W;
    Elem *k_copy = nullptr, *v_copy = nullptr, *q_copy = nullptr;
    Elem *k = nullptr, *v = nullptr, *weights = nullptr;
    float *scores = nullptr, *sums = nullptr;

    void place(Arena& arena) {
      const int64_t copied = args.k.in.pages == nullptr ? keys : Base::min(keys, args.k.in.page_rows);  // at a time
      k_copy = arena.template take<Elem>(Base::conversion_space(args.k, copied, D));
      v_copy = arena.template take<Elem>(Base::conversion_space(args.v, copied, D));
      q_copy = arena.template take<Elem>(Base::conversion_space(args.q, rows, D));
      k = arena.template take<Elem>(Base::transposed_size(keys, D));
      v = arena.template take<Elem>(Base::straight_size(keys, D));
      weights = arena.template take<Elem>(kRowBlock * kWeightStride);
      scores = arena.template take<float>(kRowBlock * kScoreStride);
      sums = arena.template take<float>(kRowBlock * Base::round_up(D, W));
    }
  };

  struct RowState {
    float largest, sum, rescale;
  };

  // Scores [valid] become weights 2^(score * factor - largest), zero up to `padded`; the state absorbs them.
  static SENSORIUM_INLINE void softmax_row(float* scores, int64_t valid, int64_t padded, float factor, Elem* weights,
                                           RowState& state) {
    if (valid <= 0) {
      std::memset(weights, 0, static_cast<size_t>(padded) * sizeof(Elem));
      state.rescale = 1.0f;
      return;
    }
    Simd::store(scores + valid, Simd::set1(kMasked));
    Simd::store(scores + valid + W, Simd::set1(kMasked));
    Vec high0 = Simd::load(scores), high1 = Simd::load(scores + W);
    for (int64_t i = 2 * W; i < valid; i += 2 * W) {
      high0 = Simd::max(high0, Simd::load(scores + i));
      high1 = Simd::max(high1, Simd::load(scores + i + W));
    }
    const float block_high = Simd::reduce_max(Simd::max(high0, high1)) * factor;
    const float largest = block_high > state.largest ? block_high : state.largest;
    const Vec scale = Simd::set1(factor), shift = Simd::set1(-largest);
    Vec sum0 = Simd::zero(), sum1 = Simd::zero();
    int64_t i = 0;
    for (; i < valid; i += 2 * W) {
      const Vec w0 = Simd::exp2(Simd::multiply_add_f32(Simd::load(scores + i), scale, shift));
      const Vec w1 = Simd::exp2(Simd::multiply_add_f32(Simd::load(scores + i + W), scale, shift));
      sum0 = Simd::add(sum0, w0);
      sum1 = Simd::add(sum1, w1);
      Simd::store_elements(weights + i, w0, w1);
    }
    for (; i < padded; i += 2 * W) Simd::store_elements(weights + i, Simd::zero(), Simd::zero());
    state.rescale = std::exp2(state.largest - largest);
    state.sum = state.sum * state.rescale + Simd::reduce_add(Simd::add(sum0, sum1));
    state.largest = largest;
  }

  // Keys of a block. What a row of causal attention sees must not depend on the keys behind it; other rows see all keys, which
  // are dealt out evenly, because a short block costs its own pass over the sums.
  static int64_t block_size(const AttentionArgs& args, int64_t keys) {
    if (args.causal || keys <= kKeyBlock) return kKeyBlock;
    const int64_t blocks = (keys + kMostKeys - 1) / kMostKeys;
    return Base::round_up((keys + blocks - 1) / blocks, kPanel);
  }

  static void run(const AttentionArgs& args, int64_t sequence, int64_t kv_head, int64_t row_begin, int64_t row_end) {
    const int64_t D = args.head_dim, Dp = Base::round_up(D, W), group = args.heads / args.kv_heads;
    const int64_t q0 = args.query_offsets[sequence], k0 = args.key_offsets[sequence];
    const int64_t T = args.query_offsets[sequence + 1] - q0, all_keys = args.key_offsets[sequence + 1] - k0;
    const int64_t shift = all_keys - T;
    const int64_t S = args.causal ? Base::min(all_keys, row_end + shift) : all_keys;
    const int64_t total_rows = args.query_offsets[args.sequences];
    const float factor = args.scale * kLog2E;
    const int64_t key_step = block_size(args, S);

    Layout at{S, row_end - row_begin, D, args};
    Base::allocate(at);
    // A page holds whole panels and whole units.
    const KvRows keys(args.k, sequence, k0, kv_head), values(args.v, sequence, k0, kv_head);
    for (int64_t s = 0, count; s < S; s += count) {
      count = keys.together(s, S - s);
      Base::pack_transposed(Base::as_elements(keys, s, count, D, at.k_copy), count, D, at.k + s * D);
      Base::pack_straight(Base::as_elements(values, s, count, D, at.v_copy), count, D, at.v, s, S);
    }

    RowState state[kRowBlock];
    for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      const Rows q = Base::as_elements(args.q, head, q0 + row_begin, row_end - row_begin, D, at.q_copy);
      for (int64_t block = row_begin; block < row_end; block += kRowBlock) {
        const int64_t rows = Base::min(kRowBlock, row_end - block);
        for (int64_t r = 0; r < rows; ++r) state[r] = {kMasked, 0.0f, 0.0f};
        std::memset(at.sums, 0, static_cast<size_t>(rows * Dp) * sizeof(float));
        const int64_t block_keys = args.causal ? Base::min(S, block + rows + shift) : S;
        for (int64_t key = 0; key < block_keys; key += key_step) {
          const int64_t count = Base::min(key_step, block_keys - key);
          // Keys of this block that query row `r` of this row block sees.
          const auto visible = [&](int64_t r) {
            return args.causal ? Base::min(count, block + r + shift + 1 - key) : count;
          };
          for (int64_t panel = 0; panel < count; panel += kPanel) {
            for (int64_t r = 0, step; r < rows; r += step) {
              step = Base::next_rows(rows - r, 1);
              const int64_t columns = Base::min(kPanel, visible(r + step - 1) - panel);
              if (columns <= 0) continue;
              float* out = at.scores + r * Layout::kScoreStride + panel;
              const Product p{q.row(block - row_begin + r),
                              q.stride,
                              U,
                              at.k + (key + panel) / kPanel * kPanel * D,
                              kPanel * U,
                              D / U};
              Base::tile(step, (columns + W - 1) / W, p,
                         [out](int row, const Vec* acc, auto vectors) SENSORIUM_INLINE_LAMBDA {
                           for (int v = 0; v < vectors(); ++v)
                             Simd::store(out + row * Layout::kScoreStride + v * W, acc[v]);
                         });
            }
          }
          const int64_t padded = Base::round_up(count, 2 * W);
          for (int64_t r = 0; r < rows; ++r) {
            softmax_row(at.scores + r * Layout::kScoreStride, visible(r), padded, factor,
                        at.weights + r * Layout::kWeightStride, state[r]);
          }
          for (int64_t c = 0; c < D; c += kPanel) {
            const int64_t width = Base::group_width(c, D);
            for (int64_t r = 0, step; r < rows; r += step) {
              step = Base::next_rows(rows - r, 1);
              const int64_t reach = visible(r + step - 1);
              if (reach <= 0) continue;
              float* out = at.sums + r * Dp + c;
              const RowState* states = state + r;
              const Product p{at.weights + r * Layout::kWeightStride,
                              Layout::kWeightStride,
                              U,
                              at.v + Base::straight_group(c, S) + key * width,
                              width * U,
                              (reach + U - 1) / U};
              Base::tile(step, width / W, p, [=](int row, const Vec* acc, auto vectors) SENSORIUM_INLINE_LAMBDA {
                const Vec rescale = Simd::set1(states[row].rescale);
                for (int v = 0; v < vectors(); ++v) {
                  float* to = out + row * Dp + v * W;
                  Simd::store(to, Simd::multiply_add_f32(Simd::load(to), rescale, acc[v]));
                }
              });
            }
          }
        }
        for (int64_t r = 0; r < rows; ++r) {
          const int64_t row = q0 + block + r;
          const float inverse = state[r].sum > 0.0f ? 1.0f / state[r].sum : 0.0f;
          Base::write_row(at.sums + r * Dp, inverse, D, args.out, row * args.out_row_stride + head * D, args.q.dtype);
          if (args.log_sum_exp != nullptr) {
            args.log_sum_exp[head * total_rows + row] = state[r].largest * kLn2 + std::log(state[r].sum);
          }
        }
      }
    }
  }
};

}  // namespace
SENSORIUM_ISA_END
