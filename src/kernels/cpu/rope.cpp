#include <algorithm>

#include "kernels/cpu/isa.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kRowBlock = 64;
constexpr int64_t kMaxPairs = 128;  // head size 256

// cos and sin of every channel pair's angle at one row.
struct Angles {
  float cos[kMaxPairs], sin[kMaxPairs];
};

// Frequencies are the same for all rows; angles are made anew per row, once for all of its heads.
struct Frequencies {
  double value[kMaxPairs];
  int axis[kMaxPairs];

  Frequencies(const RopeTable& table, int64_t dim) {
    const int64_t pairs = dim / 2, per_axis = pairs / table.axes;
    for (int64_t c = 0; c < pairs; ++c) {
      axis[c] = table.axes == 1 || c < per_axis ? 0 : 1;
      const int64_t local = axis[c] == 0 ? c : c - per_axis;
      value[c] = table.frequencies != nullptr
                     ? static_cast<double>(table.frequencies[c])
                     : std::pow(static_cast<double>(table.theta),
                                -2.0 * static_cast<double>(local) * table.axes / static_cast<double>(dim));
    }
  }
  void angles(const RopeTable& table, int64_t row, int64_t pairs, Angles& out) const {
    for (int64_t c = 0; c < pairs; ++c) {
      const double angle = static_cast<double>(table.positions[row * table.axes + axis[c]]) * value[c];
      out.cos[c] = static_cast<float>(std::cos(angle));
      out.sin[c] = static_cast<float>(std::sin(angle));
    }
  }
};

// Rows with the same positions come again in every sequence: their angles are computed once and kept, one entry per distinct
// position of a small range.
class AngleTable {
 public:
  static constexpr int64_t kMostPositions = 4096;

  AngleTable(const RopeTable& table, int64_t rows, int64_t dim)
      : table_(table), frequencies_(table, dim), pairs_(dim / 2) {
    if (table.axes != 1) return;
    int64_t most = 0;
    for (int64_t r = 0; r < rows; ++r) {
      if (table.positions[r] < 0) return;
      most = std::max<int64_t>(most, table.positions[r]);
    }
    if (most >= kMostPositions || most >= rows) return;
    entries_ = static_cast<float*>(thread_scratch(static_cast<size_t>((most + 1) * 2 * pairs_) * 4, 5));
    float* entries = entries_;
    parallel_for(most + 1, 16, [&](int64_t begin, int64_t end, int) {
      for (int64_t p = begin; p < end; ++p) {
        float* entry = entries + p * 2 * pairs_;
        for (int64_t c = 0; c < pairs_; ++c) {
          const double angle = static_cast<double>(p) * frequencies_.value[c];
          entry[c] = static_cast<float>(std::cos(angle));
          entry[pairs_ + c] = static_cast<float>(std::sin(angle));
        }
      }
    });
  }
  void get(int64_t row, Angles& out) const {
    if (table_.positions == nullptr) {
      for (int64_t c = 0; c < pairs_; ++c) out.cos[c] = 1.0f, out.sin[c] = 0.0f;
    } else if (entries_ != nullptr) {
      const float* entry = entries_ + table_.positions[row] * 2 * pairs_;
      std::memcpy(out.cos, entry, static_cast<size_t>(pairs_) * 4);
      std::memcpy(out.sin, entry + pairs_, static_cast<size_t>(pairs_) * 4);
    } else {
      frequencies_.angles(table_, row, pairs_, out);
    }
  }

 private:
  RopeTable table_;
  Frequencies frequencies_;
  int64_t pairs_;
  float* entries_ = nullptr;
};

AngleTable make_table(const RopeTable& table, int64_t rows, int64_t dim) {
  return AngleTable(table, table.positions != nullptr ? rows : 0, dim);
}

}  // namespace

void rope(const RopeArgs& args) {
  const int64_t pairs = args.head_dim / 2;
  const AngleTable table = make_table(args.table, args.rows, args.head_dim);
  with_type(args.x.dtype, [&](auto* tag) {
    auto* x = static_cast<decltype(tag)>(args.x.data);
    parallel_for(args.rows, 32, [&](int64_t begin, int64_t end, int) {
      Angles angles;
      for (int64_t r = begin; r < end; ++r) {
        table.get(r, angles);
        const float sign = args.inverse ? -1.0f : 1.0f;
        for (int64_t h = 0; h < args.heads; ++h) {
          auto* head = x + r * args.row_stride + h * args.head_dim;
          for (int64_t c = 0; c < pairs; ++c) {
            const float u = load(head, c), v = load(head, c + pairs), s = sign * angles.sin[c];
            store(head, c, u * angles.cos[c] - v * s);
            store(head, c + pairs, v * angles.cos[c] + u * s);
          }
        }
      }
    });
  });
}

void head_norm_rope(const HeadNormRopeArgs& args) {
  const int64_t dim = args.head_dim, pairs = dim / 2, turned = args.heads + args.kv_heads,
                width = (turned + args.kv_heads) * dim;
  const AngleTable table = make_table(args.table, args.rows, dim);
  with_type(args.qkv.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    parallel_for(args.rows, 32, [&](int64_t begin, int64_t end, int) {
      Angles angles;
      float normal[2 * kMaxPairs];
      for (int64_t r = begin; r < end; ++r) {
        const T* x = static_cast<const T*>(args.qkv.data) + r * width;
        T* y = static_cast<T*>(args.y.data) + r * width;
        table.get(r, angles);
        for (int64_t h = 0; h < turned; ++h) {
          const float* weight = h < args.heads ? args.q_weight : args.k_weight;
          const T* head = x + h * dim;
          float inverse = 1.0f;
          if (weight != nullptr) {
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int64_t c = 0; c < dim; ++c) sum += load(head, c) * load(head, c);
            inverse = 1.0f / std::sqrt(sum / static_cast<float>(dim) + args.eps);
          }
          if (args.inverse_rms != nullptr) args.inverse_rms[r * turned + h] = inverse;
          for (int64_t c = 0; c < dim; ++c)
            normal[c] = load(head, c) * inverse * (weight != nullptr ? weight[c] : 1.0f);
          T* out = y + h * dim;
          for (int64_t c = 0; c < pairs; ++c) {
            store(out, c, normal[c] * angles.cos[c] - normal[c + pairs] * angles.sin[c]);
            store(out, c + pairs, normal[c + pairs] * angles.cos[c] + normal[c] * angles.sin[c]);
          }
        }
        std::memcpy(static_cast<void*>(y + turned * dim), x + turned * dim,
                    static_cast<size_t>(args.kv_heads * dim) * sizeof(T));
      }
    });
  });
}

void head_norm_rope_backward(const HeadNormRopeBackwardArgs& args) {
  const HeadNormRopeArgs& fwd = args.forward;
  const int64_t dim = fwd.head_dim, pairs = dim / 2, turned = fwd.heads + fwd.kv_heads,
                width = (turned + fwd.kv_heads) * dim;
  const int64_t blocks = (fwd.rows + kRowBlock - 1) / kRowBlock;
  const AngleTable table = make_table(fwd.table, fwd.rows, dim);
  float* sums = block_sums(blocks, 2 * dim, 3);
  with_type(fwd.qkv.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    parallel_for(blocks, 1, [&](int64_t begin, int64_t end, int) {
      Angles angles;
      float grad[2 * kMaxPairs];
      for (int64_t block = begin; block < end; ++block) {
        for (int64_t r = block * kRowBlock; r < std::min(fwd.rows, (block + 1) * kRowBlock); ++r) {
          const T* x = static_cast<const T*>(fwd.qkv.data) + r * width;
          const T* dy = static_cast<const T*>(args.grad_y.data) + r * width;
          T* dx = static_cast<T*>(args.grad_qkv.data) + r * width;
          table.get(r, angles);
          for (int64_t h = 0; h < turned; ++h) {
            const bool query = h < fwd.heads;
            const float* weight = query ? fwd.q_weight : fwd.k_weight;
            const T* head = x + h * dim;
            const T* turned_grad = dy + h * dim;
            T* out = dx + h * dim;
            for (int64_t c = 0; c < pairs; ++c) {
              const float u = load(turned_grad, c), v = load(turned_grad, c + pairs);
              grad[c] = u * angles.cos[c] + v * angles.sin[c];
              grad[c + pairs] = v * angles.cos[c] - u * angles.sin[c];
            }
            if (weight == nullptr) {
              for (int64_t c = 0; c < dim; ++c) store(out, c, grad[c]);
              continue;
            }
            const float inverse = fwd.inverse_rms[r * turned + h];
            float* grad_weight = sums + block * 2 * dim + (query ? 0 : dim);
            float dot = 0;
#pragma omp simd reduction(+ : dot)
            for (int64_t c = 0; c < dim; ++c) dot += grad[c] * weight[c] * load(head, c);
            const float pull = dot * inverse * inverse * inverse / static_cast<float>(dim);
            for (int64_t c = 0; c < dim; ++c) {
              const float value = load(head, c);
              grad_weight[c] += grad[c] * value * inverse;
              store(out, c, grad[c] * weight[c] * inverse - value * pull);
            }
          }
          std::memcpy(static_cast<void*>(dx + turned * dim), dy + turned * dim,
                      static_cast<size_t>(fwd.kv_heads * dim) * sizeof(T));
        }
      }
    });
  });
  for (int64_t block = 0; block < blocks; ++block) {
    add_blocks(args.grad_q_weight, sums + block * 2 * dim, 1, dim);
    add_blocks(args.grad_k_weight, sums + block * 2 * dim + dim, 1, dim);
  }
}

SENSORIUM_ISA_END
