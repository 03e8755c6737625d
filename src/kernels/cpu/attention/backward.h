// Backward pass with recomputed weights (Dao 2022, algorithm 4), one sequence and one key/value head at a time, so that
// every sum has one owner and a fixed order:
//   P = exp(scale Q K^T - lse),  dP = dO V^T,  dS = P o (dP - rowsum(dO o O)),
//   dV = P^T dO,  dK = scale dS^T Q,  dQ = scale dS K.
#pragma once

#include "kernels/cpu/attention/tiles.h"

SENSORIUM_ISA_BEGIN
namespace {

template <class Simd>
struct AttentionBackward : Tiles<Simd> {
  using Base = Tiles<Simd>;
  using Base::kBackwardRows;
  using Base::kKeyBlock;
  using Base::kPanel;
  using Base::R;
  using Base::U;
  using Base::W;
  using typename Base::Arena;
  using typename Base::Elem;
  using typename Base::Product;
  using typename Base::Rows;
  using typename Base::Vec;

  // Blocks of P and dS, packed by units of rows: [rows / U][kKeyBlock][U], and dS row by row. The strides are padded, so that
  // rows do not meet in the same cache sets.
  static constexpr int64_t kPackedStride = (kKeyBlock + 16) * U;
  static constexpr int64_t kPlainStride = kKeyBlock + 32;

  struct Layout {
    int64_t S, T, D;  // T rounded up to whole units
    const AttentionArgs& args;
    Elem *k_copy = nullptr, *v_copy = nullptr, *q_copy = nullptr, *dout_copy = nullptr;
    Elem *k_transposed = nullptr, *v_transposed = nullptr, *k_straight = nullptr;
    Elem *q_straight = nullptr, *dout_straight = nullptr;
    Elem *p_packed = nullptr, *ds_packed = nullptr, *ds_plain = nullptr;
    float *dq = nullptr, *dk = nullptr, *dv = nullptr, *delta = nullptr, *lse = nullptr, *p_tile = nullptr;

    void place(Arena& arena) {
      const int64_t Dp = Base::round_up(D, W);
      k_copy = arena.template take<Elem>(Base::conversion_space(args.k, S, D));
      v_copy = arena.template take<Elem>(Base::conversion_space(args.v, S, D));
      q_copy = arena.template take<Elem>(T * D);
      dout_copy = arena.template take<Elem>(T * D);
      k_transposed = arena.template take<Elem>(Base::transposed_size(S, D));
      v_transposed = arena.template take<Elem>(Base::transposed_size(S, D));
      k_straight = arena.template take<Elem>(Base::straight_size(S, D));
      q_straight = arena.template take<Elem>(Base::straight_size(T, D));
      dout_straight = arena.template take<Elem>(Base::straight_size(T, D));
      p_packed = arena.template take<Elem>(kBackwardRows / U * kPackedStride);
      ds_packed = arena.template take<Elem>(kBackwardRows / U * kPackedStride);
      ds_plain = arena.template take<Elem>(U == 1 ? 0 : kBackwardRows * kPlainStride);
      dq = arena.template take<float>(T * Dp);
      dk = arena.template take<float>(S * Dp);
      dv = arena.template take<float>(S * Dp);
      delta = arena.template take<float>(T);
      lse = arena.template take<float>(T);
      p_tile = arena.template take<float>(R * kPanel);
    }
  };

  // Rows of one head, close together, with a row of zeros after an odd number of them.
  static Rows gather(const HeadsView& view, int64_t head, int64_t row, int64_t count, int64_t padded, int64_t D,
                     Elem* space) {
    for (int64_t r = 0; r < count; ++r) Simd::convert(Base::address(view, head, row + r), view.dtype, D, space + r * D);
    std::memset(space + count * D, 0, static_cast<size_t>((padded - count) * D) * sizeof(Elem));
    return {space, D};
  }

  // to[rows of the tile][vectors] += the tile
  static SENSORIUM_INLINE void add_tile(int64_t rows, int64_t vectors, const Product& p, float* to, int64_t stride) {
    Base::tile(rows, vectors, p, [to, stride](int row, const Vec* acc, auto count) SENSORIUM_INLINE_LAMBDA {
      for (int v = 0; v < count(); ++v) {
        float* at = to + row * stride + v * W;
        Simd::store(at, Simd::add(Simd::load(at), acc[v]));
      }
    });
  }

  // The block's P and dS from rows row..row+rows of the sequence and keys key..key+count.
  template <typename Visible>
  static void scores_block(const Layout& at, float factor, const Rows& q, const Rows& dout, int64_t row, int64_t rows,
                           int64_t key, int64_t count, const Visible& visible) {
    const int64_t D = at.D, padded = Base::round_up(count, W);
    for (int64_t panel = 0; panel < count; panel += kPanel) {
      for (int64_t r = 0, step; r < rows; r += step) {
        step = Base::next_rows(rows - r, U);
        const int64_t reach = visible(r + step - 1) - panel;
        const int64_t vectors = reach <= 0 ? 0 : (Base::min(kPanel, reach) + W - 1) / W;
        const int64_t width = Base::min(kPanel, padded - panel);
        Elem* p_packed = at.p_packed + r / U * kPackedStride + panel * U;
        Elem* ds_packed = at.ds_packed + r / U * kPackedStride + panel * U;
        Elem* ds_plain = U == 1 ? nullptr : at.ds_plain + r * kPlainStride + panel;
        // Beyond what the tile sees the sums over rows read zeros.
        for (int64_t i = 0; i < step; i += U) {
          const size_t bytes = static_cast<size_t>((width - vectors * W) * U) * sizeof(Elem);
          std::memset(p_packed + i / U * kPackedStride + vectors * W * U, 0, bytes);
          std::memset(ds_packed + i / U * kPackedStride + vectors * W * U, 0, bytes);
        }
        if (vectors == 0) continue;
        // No mask is needed where even the first row sees every column.
        const bool whole = visible(r) - panel >= vectors * W;
        const int64_t offset = (key + panel) / kPanel * kPanel * D;
        const float* lse = at.lse + row + r;
        float* p_tile = at.p_tile;
        const Product s{q.row(row + r), q.stride, U, at.k_transposed + offset, kPanel * U, D / U};
        const Product dp{dout.row(row + r), dout.stride, U, at.v_transposed + offset, kPanel * U, D / U};
        Base::tile(step, vectors, s, [=, &visible](int i, const Vec* acc, auto n) SENSORIUM_INLINE_LAMBDA {
          const Vec scale = Simd::set1(factor), shift = Simd::set1(-lse[i]);
          const int64_t seen = visible(r + i) - panel;
          for (int v = 0; v < n(); ++v) {
            Vec p = Simd::exp2(Simd::multiply_add_f32(acc[v], scale, shift));
            if (!whole) p = Simd::keep_first(p, seen - v * W);
            float* to = p_tile + i * kPanel + v * W;
            Simd::store(to, p);
            if constexpr (U == 1) {
              Simd::store_pairs(p_packed + i * kPackedStride + v * W, p, p);
            } else if (i % 2 == 1) {
              Simd::store_pairs(p_packed + i / 2 * kPackedStride + v * W * 2, Simd::load(to - kPanel), p);
            }
          }
        });
        const float* delta = at.delta + row + r;
        Base::tile(step, vectors, dp, [=](int i, const Vec* acc, auto n) SENSORIUM_INLINE_LAMBDA {
          const Vec shift = Simd::set1(delta[i]);
          for (int v = 0; v < n(); ++v) {
            float* with = p_tile + i * kPanel + v * W;
            const Vec ds = Simd::multiply(Simd::load(with), Simd::subtract(acc[v], shift));
            Simd::store(with, ds);
            if constexpr (U == 1) {
              Simd::store_pairs(ds_packed + i * kPackedStride + v * W, ds, ds);
            } else if (i % 2 == 1) {
              Simd::store_pairs(ds_packed + i / 2 * kPackedStride + v * W * 2, Simd::load(with - kPanel), ds);
            }
          }
          if constexpr (U == 2) {
            Elem* plain = ds_plain + i * kPlainStride;
            const float* from = p_tile + i * kPanel;
            for (int v = 0; v < n(); v += 2) {
              Simd::store_elements(plain + v * W, Simd::load(from + v * W),
                                   v + 1 < n() ? Simd::load(from + (v + 1) * W) : Simd::zero());
            }
          }
        });
      }
    }
  }

  static void run(const AttentionBackwardArgs& all, int64_t sequence, int64_t kv_head) {
    const AttentionArgs& args = all.forward;
    const int64_t D = args.head_dim, Dp = Base::round_up(D, W), group = args.heads / args.kv_heads;
    const int64_t q0 = args.query_offsets[sequence], k0 = args.key_offsets[sequence];
    const int64_t T = args.query_offsets[sequence + 1] - q0, S = args.key_offsets[sequence + 1] - k0;
    const int64_t Tp = Base::round_up(T, U), shift = S - T, total_rows = args.query_offsets[args.sequences];
    const DType type = args.q.dtype;
    const float factor = args.scale * kLog2E;
    const HeadsView dout_view{all.grad_out, type, args.out_row_stride, D};
    const HeadsView out_view{args.out, type, args.out_row_stride, D};

    Layout at{S, Tp, D, args};
    Base::allocate(at);
    const Rows k = Base::as_elements(args.k, kv_head, k0, S, D, at.k_copy);
    const Rows v = Base::as_elements(args.v, kv_head, k0, S, D, at.v_copy);
    Base::pack_transposed(k, S, D, at.k_transposed);
    Base::pack_transposed(v, S, D, at.v_transposed);
    Base::pack_straight(k, S, D, at.k_straight);
    std::memset(at.dk, 0, static_cast<size_t>(S * Dp) * sizeof(float));
    std::memset(at.dv, 0, static_cast<size_t>(S * Dp) * sizeof(float));

    for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      const Rows q = gather(args.q, head, q0, T, Tp, D, at.q_copy);
      const Rows dout = gather(dout_view, head, q0, T, Tp, D, at.dout_copy);
      Base::pack_straight(q, Tp, D, at.q_straight);
      Base::pack_straight(dout, Tp, D, at.dout_straight);
      std::memset(at.dq, 0, static_cast<size_t>(Tp * Dp) * sizeof(float));
      for (int64_t t = 0; t < Tp; ++t) {
        // The row of padding gets no weight: its sum of exponentials is taken as infinite.
        at.lse[t] = t < T ? args.log_sum_exp[head * total_rows + q0 + t] * kLog2E : -kMasked;
        at.delta[t] =
            t < T ? row_dot(Base::address(dout_view, head, q0 + t), Base::address(out_view, head, q0 + t), type, D)
                  : 0.0f;
      }
      for (int64_t key = 0; key < S; key += kKeyBlock) {
        const int64_t count = Base::min(kKeyBlock, S - key);
        for (int64_t row = 0; row < Tp; row += kBackwardRows) {
          const int64_t rows = Base::min(kBackwardRows, Tp - row);
          const auto visible = [&](int64_t r) {
            return args.causal ? Base::min(count, row + r + shift + 1 - key) : count;
          };
          if (visible(rows - 1) <= 0) continue;
          scores_block(at, factor, q, dout, row, rows, key, count, visible);
          for (int64_t c = 0; c < D; c += kPanel) {
            const int64_t width = Base::group_width(c, D);
            for (int64_t s = 0, step; s < count; s += step) {
              step = Base::next_rows(count - s, 1);
              // Rows before `first` see none of these keys.
              const int64_t first = args.causal ? Base::max(0, key + s - shift - row) / U : 0;
              if (first * U >= rows) continue;
              const int64_t units = rows / U - first;
              const int64_t from = Base::straight_group(c, Tp) + (row / U + first) * width * U;
              const int64_t block = first * kPackedStride + s * U, to = (key + s) * Dp + c;
              add_tile(step, width / W,
                       {at.p_packed + block, U, kPackedStride, at.dout_straight + from, width * U, units}, at.dv + to,
                       Dp);
              add_tile(step, width / W,
                       {at.ds_packed + block, U, kPackedStride, at.q_straight + from, width * U, units}, at.dk + to,
                       Dp);
            }
            const Elem* ds = U == 1 ? at.ds_packed : at.ds_plain;
            const int64_t stride = U == 1 ? kPackedStride : kPlainStride;
            for (int64_t r = 0, step; r < rows; r += step) {
              step = Base::next_rows(rows - r, U);
              const int64_t reach = visible(r + step - 1);
              if (reach <= 0) continue;
              add_tile(step, width / W,
                       {ds + r * stride, stride, U, at.k_straight + Base::straight_group(c, S) + key * width, width * U,
                        (reach + U - 1) / U},
                       at.dq + (row + r) * Dp + c, Dp);
            }
          }
        }
      }
      for (int64_t t = 0; t < T; ++t) {
        Base::write_row(at.dq + t * Dp, args.scale, D, all.grad_q,
                        (q0 + t) * args.q.row_stride + head * args.q.head_stride, type);
      }
    }
    for (int64_t s = 0; s < S; ++s) {
      Base::write_row(at.dk + s * Dp, args.scale, D, all.grad_k,
                      (k0 + s) * args.k.row_stride + kv_head * args.k.head_stride, args.k.dtype);
      Base::write_row(at.dv + s * Dp, 1.0f, D, all.grad_v, (k0 + s) * args.v.row_stride + kv_head * args.v.head_stride,
                      args.v.dtype);
    }
  }
};

}  // namespace
SENSORIUM_ISA_END
