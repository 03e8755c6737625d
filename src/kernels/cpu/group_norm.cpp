// GroupNorm over packed pictures. Pictures are cut into blocks of rows that fit the second-level cache: statistics come from
// the blocks (sums, then squares about the block's own mean, combined as Chan, Golub and LeVeque 1979 do), so that neither one
// large picture nor many small ones leave a core idle. Blocks depend on the shape alone and are combined in order.
#include <algorithm>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/math.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kBlockElements = 32768;
constexpr int kScratch = 7;

template <NormActivation kind>
SENSORIUM_VECTOR Floats activate(Floats z) {
  if constexpr (kind == NormActivation::relu) return maximum(Floats{}, z);
  if constexpr (kind == NormActivation::silu) return z * logistic(z);
  return z;
}

template <NormActivation kind>
SENSORIUM_VECTOR Floats slope(Floats z) {
  if constexpr (kind == NormActivation::relu) return z > 0.0f ? broadcast(1.0f) : Floats{};
  if constexpr (kind == NormActivation::silu) {
    const Floats s = logistic(z);
    return s + z * s * (1.0f - s);
  }
  return broadcast(1.0f);
}

// fn(constant): so that the loops inside hold no branch.
template <typename Fn>
void with_activation(NormActivation activation, Fn&& fn) {
  switch (activation) {
    case NormActivation::none:
      return fn(std::integral_constant<NormActivation, NormActivation::none>{});
    case NormActivation::relu:
      return fn(std::integral_constant<NormActivation, NormActivation::relu>{});
    case NormActivation::silu:
      return fn(std::integral_constant<NormActivation, NormActivation::silu>{});
  }
}

// The blocks of all pictures: block b of picture i has the rows that range() gives; blocks of a picture are consecutive.
class PictureBlocks {
 public:
  explicit PictureBlocks(const GroupNormArgs& args)
      : offsets_(args.offsets), rows_(kBlockElements / (args.channels + 1) + 1) {
    for (size_t i = 0; i + 1 < offsets_.size(); ++i) count_ += blocks_of(i);
  }
  int64_t count() const { return count_; }
  int64_t pictures() const { return static_cast<int64_t>(offsets_.size()) - 1; }
  int64_t blocks_of(size_t picture) const { return (offsets_[picture + 1] - offsets_[picture] + rows_ - 1) / rows_; }

  // fn(block, picture, first row, last row) for every block, shared by the threads.
  template <typename Fn>
  void for_each(const Fn& fn) const {
    parallel_for(count_, 1, [&](int64_t begin, int64_t end, int) {
      size_t picture = 0;
      int64_t first_block = 0;
      for (int64_t block = begin; block < end; ++block) {
        while (block >= first_block + blocks_of(picture)) first_block += blocks_of(picture++);
        const int64_t first = offsets_[picture] + (block - first_block) * rows_;
        fn(block, static_cast<int64_t>(picture), first, std::min(offsets_[picture + 1], first + rows_));
      }
    });
  }

 private:
  std::span<const int64_t> offsets_;
  int64_t rows_, count_ = 0;
};

struct Moments {
  double mean = 0, squares = 0;  // squares: sum of squared deviations from the mean
  int64_t count = 0;
  void merge(double other_mean, double other_squares, int64_t other_count) {
    const double delta = other_mean - mean, all = static_cast<double>(count + other_count);
    squares += other_squares + delta * delta * static_cast<double>(count) * static_cast<double>(other_count) / all;
    mean += delta * static_cast<double>(other_count) / all;
    count += other_count;
  }
};

float* scratch_floats(int64_t count) {
  return static_cast<float*>(thread_scratch(static_cast<size_t>(count) * sizeof(float), kScratch));
}

}  // namespace

void group_norm(const GroupNormArgs& args) {
  const int64_t channels = args.channels, groups = args.groups, width = channels / groups;
  const PictureBlocks blocks(args);
  // Per block and channel: the sum, the mean of the block's group, the squared deviations from that.
  float* block_values = scratch_floats(blocks.count() * 3 * channels + blocks.pictures() * 2 * channels);
  float* scale_shift = block_values + blocks.count() * 3 * channels;  // per picture: scale, shift of every channel
  const auto group_mean = [&](const float* sums, int64_t group, int64_t rows) {
    double total = 0;
    for (int64_t c = group * width; c < (group + 1) * width; ++c) total += sums[c];
    return total / static_cast<double>(rows * width);
  };

  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    const T* x = static_cast<const T*>(args.x.data);
    T* y = static_cast<T*>(args.y.data);

    blocks.for_each([&](int64_t block, int64_t, int64_t first, int64_t last) {
      float *sums = block_values + block * 3 * channels, *means = sums + channels, *squares = means + channels;
      sum_columns(x + first * channels, last - first, channels, channels, sums);
      for (int64_t g = 0; g < groups; ++g) {
        const auto mean = static_cast<float>(group_mean(sums, g, last - first));
        for (int64_t c = g * width; c < (g + 1) * width; ++c) means[c] = mean;
      }
      map(channels, squares, [] { return Floats{}; });
      const auto squared = [](Floats v) { return v * v; };
      int64_t r = first;
      for (; r + 2 <= last; r += 2) {
        map(
            channels, squares,
            [=](Floats s, Floats m, Floats a, Floats b) { return s + (squared(a - m) + squared(b - m)); }, squares,
            means, x + r * channels, x + (r + 1) * channels);
      }
      if (r < last) {
        map(
            channels, squares, [=](Floats s, Floats m, Floats a) { return s + squared(a - m); }, squares, means,
            x + r * channels);
      }
    });

    int64_t block = 0;
    for (int64_t i = 0; i < blocks.pictures(); ++i) {
      const auto picture = static_cast<size_t>(i);
      const int64_t rows = args.offsets[picture + 1] - args.offsets[picture],
                    last_block = block + blocks.blocks_of(picture);
      const int64_t block_rows = kBlockElements / (channels + 1) + 1;
      float *scale = scale_shift + i * 2 * channels, *shift = scale + channels;
      for (int64_t g = 0; g < groups; ++g) {
        Moments moments;
        for (int64_t b = block; b < last_block; ++b) {
          const float *sums = block_values + b * 3 * channels, *squares = sums + 2 * channels;
          const int64_t here = std::min(block_rows, rows - (b - block) * block_rows);
          const double mean = group_mean(sums, g, here);
          double about = 0;
          for (int64_t c = g * width; c < (g + 1) * width; ++c) about += squares[c];
          moments.merge(mean, about, here * width);
        }
        const double variance = moments.count == 0 ? 0 : moments.squares / static_cast<double>(moments.count);
        const auto mean = static_cast<float>(moments.mean);
        const auto inverse = static_cast<float>(1.0 / std::sqrt(variance + static_cast<double>(args.eps)));
        if (args.mean != nullptr) args.mean[i * groups + g] = mean;
        if (args.inverse_std != nullptr) args.inverse_std[i * groups + g] = inverse;
        for (int64_t c = g * width; c < (g + 1) * width; ++c) {
          scale[c] = inverse * args.weight[c];
          shift[c] = args.bias[c] - mean * scale[c];
        }
      }
      block = last_block;
    }

    with_activation(args.activation, [&](auto kind) {
      using Kind = decltype(kind);
      blocks.for_each([&](int64_t, int64_t picture, int64_t first, int64_t last) {
        const float *scale = scale_shift + picture * 2 * channels, *shift = scale + channels;
        for (int64_t r = first; r < last; ++r) {
          map(
              channels, y + r * channels, [](Floats v, Floats s, Floats t) { return activate<Kind::value>(v * s + t); },
              x + r * channels, scale, shift);
        }
      });
    });
  });
}

// With n = (x - mean) * inverse, z = n * weight + bias and g = dy * activation'(z): dx = inverse * (g weight - mean(g weight)
// - n mean(g weight n)), means over the group.
void group_norm_backward(const GroupNormBackwardArgs& args) {
  const GroupNormArgs& forward = args.forward;
  const int64_t channels = forward.channels, groups = forward.groups, width = channels / groups;
  const PictureBlocks blocks(forward);
  // Per block: sums of g n and of g. Per picture and channel: mean, inverse, mean(g weight), mean(g weight n).
  float* block_values = scratch_floats(blocks.count() * 2 * channels + blocks.pictures() * 4 * channels);
  float* statistics = block_values + blocks.count() * 2 * channels;
  for (int64_t i = 0; i < blocks.pictures(); ++i) {
    float* mean = statistics + i * 4 * channels;
    for (int64_t c = 0; c < channels; ++c) {
      mean[c] = forward.mean[i * groups + c / width];
      mean[channels + c] = forward.inverse_std[i * groups + c / width];
    }
  }

  with_type(forward.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    const T *x = static_cast<const T*>(forward.x.data), *dy = static_cast<const T*>(args.grad_y.data);
    T* dx = static_cast<T*>(args.grad_x.data);
    with_activation(forward.activation, [&](auto kind) {
      using Kind = decltype(kind);
      blocks.for_each([&](int64_t block, int64_t picture, int64_t first, int64_t last) {
        const float *mean = statistics + picture * 4 * channels, *inverse = mean + channels;
        float *weight_sums = block_values + block * 2 * channels, *bias_sums = weight_sums + channels;
        const T *values = x + first * channels, *grads = dy + first * channels;
        // A few columns of all rows: what belongs to the columns stays in registers.
        const auto add_columns = [&](int64_t c, const auto& read, const auto& write) {
          const Floats m = read(mean + c), s = read(inverse + c), w = read(forward.weight + c),
                       b = read(forward.bias + c);
          Floats weight_sum{}, bias_sum{};
          for (int64_t r = 0; r < last - first; ++r) {
            const Floats n = (read(values + r * channels + c) - m) * s;
            const Floats g = read(grads + r * channels + c) * slope<Kind::value>(n * w + b);
            weight_sum += g * n;
            bias_sum += g;
          }
          write(weight_sums + c, weight_sum);
          write(bias_sums + c, bias_sum);
        };
        int64_t c = 0;
        for (; c + kLanes <= channels; c += kLanes) {
          add_columns(
              c, [](const auto* p) { return get(p); }, [](float* p, Floats v) { put(p, v); });
        }
        if (const int64_t left = channels - c; left > 0) {
          add_columns(
              c, [=](const auto* p) { return get(p, left); }, [=](float* p, Floats v) { put(p, v, left); });
        }
      });

      int64_t block = 0;
      for (int64_t i = 0; i < blocks.pictures(); ++i) {
        const auto picture = static_cast<size_t>(i);
        const auto count = static_cast<double>((forward.offsets[picture + 1] - forward.offsets[picture]) * width);
        const int64_t last_block = block + blocks.blocks_of(picture);
        float *level = statistics + i * 4 * channels + 2 * channels, *tilt = level + channels;
        for (int64_t g = 0; g < groups; ++g) {
          double sum = 0, dot = 0;
          for (int64_t b = block; b < last_block; ++b) {
            const float *weight_sums = block_values + b * 2 * channels, *bias_sums = weight_sums + channels;
            for (int64_t c = g * width; c < (g + 1) * width; ++c) {
              dot += static_cast<double>(weight_sums[c]) * static_cast<double>(forward.weight[c]);
              sum += static_cast<double>(bias_sums[c]) * static_cast<double>(forward.weight[c]);
            }
          }
          for (int64_t c = g * width; c < (g + 1) * width; ++c) {
            level[c] = static_cast<float>(sum / count);
            tilt[c] = static_cast<float>(dot / count);
          }
        }
        block = last_block;
      }

      blocks.for_each([&](int64_t, int64_t picture, int64_t first, int64_t last) {
        const float *mean = statistics + picture * 4 * channels, *inverse = mean + channels;
        const float *level = inverse + channels, *tilt = level + channels;
        for (int64_t r = first; r < last; ++r) {
          map(
              channels, dx + r * channels,
              [](Floats v, Floats d, Floats m, Floats s, Floats w, Floats b, Floats l, Floats t) {
                const Floats n = (v - m) * s;
                return s * (d * slope<Kind::value>(n * w + b) * w - l - n * t);
              },
              x + r * channels, dy + r * channels, mean, inverse, forward.weight, forward.bias, level, tilt);
        }
      });
    });
  });
  const auto add_to = [&](float* out, int64_t first) {
    if (out == nullptr) return;
    for (int64_t b = 0; b < blocks.count(); ++b) {
      map(
          channels, out, [](Floats a, Floats c) { return a + c; }, out, block_values + b * 2 * channels + first);
    }
  };
  add_to(args.grad_weight, 0);
  add_to(args.grad_bias, channels);
}

SENSORIUM_ISA_END
