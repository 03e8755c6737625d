// Normalisations. Statistics and sums over rows are f32 within a block and combined in a fixed order.
#include <algorithm>

#include "kernels/cpu/isa.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kRowBlock = 64;  // rows whose weight gradients are summed together
constexpr int kScratch = 3;

template <typename T>
float mean_of_squares(const T* x, int64_t cols) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < cols; ++c) {
    const float value = load(x, c);
    sum += value * value;
  }
  return sum / static_cast<float>(cols);
}

float activate(NormActivation activation, float x) {
  switch (activation) {
    case NormActivation::none:
      return x;
    case NormActivation::relu:
      return x > 0 ? x : 0.0f;
    case NormActivation::silu:
      return x * sigmoid(x);
  }
  return x;
}

float activation_slope(NormActivation activation, float x) {
  switch (activation) {
    case NormActivation::none:
      return 1.0f;
    case NormActivation::relu:
      return x > 0 ? 1.0f : 0.0f;
    case NormActivation::silu: {
      const float s = sigmoid(x);
      return s * (1.0f + x * (1.0f - s));
    }
  }
  return 1.0f;
}

// f(constant): so that the loops inside hold no branch.
template <typename Fn>
void with_activation(NormActivation activation, Fn&& fn) {
  switch (activation) {
    case NormActivation::none:
      fn(std::integral_constant<NormActivation, NormActivation::none>{});
      return;
    case NormActivation::relu:
      fn(std::integral_constant<NormActivation, NormActivation::relu>{});
      return;
    case NormActivation::silu:
      fn(std::integral_constant<NormActivation, NormActivation::silu>{});
  }
}

}  // namespace

void rms_norm(const RowNormArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    parallel_for(args.rows, 32, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const T* x = static_cast<const T*>(args.x.data) + r * args.cols;
        T* y = static_cast<T*>(args.y.data) + r * args.cols;
        const float inverse = 1.0f / std::sqrt(mean_of_squares(x, args.cols) + args.eps);
        if (args.inverse_std != nullptr) args.inverse_std[r] = inverse;
        for (int64_t c = 0; c < args.cols; ++c) store(y, c, load(x, c) * inverse * args.weight[c]);
      }
    });
  });
}

void rms_norm_backward(const RowNormBackwardArgs& args) {
  const RowNormArgs& fwd = args.forward;
  const int64_t cols = fwd.cols, blocks = (fwd.rows + kRowBlock - 1) / kRowBlock;
  float* sums = block_sums(blocks, cols, kScratch);
  with_type(fwd.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    parallel_for(blocks, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t block = begin; block < end; ++block) {
        float* grad_weight = sums + block * cols;
        for (int64_t r = block * kRowBlock; r < std::min(fwd.rows, (block + 1) * kRowBlock); ++r) {
          const T* x = static_cast<const T*>(fwd.x.data) + r * cols;
          const T* dy = static_cast<const T*>(args.grad_y.data) + r * cols;
          T* dx = static_cast<T*>(args.grad_x.data) + r * cols;
          const float inverse = fwd.inverse_std[r];
          float dot = 0;
#pragma omp simd reduction(+ : dot)
          for (int64_t c = 0; c < cols; ++c) dot += load(dy, c) * fwd.weight[c] * load(x, c);
          const float pull = dot * inverse * inverse * inverse / static_cast<float>(cols);
          for (int64_t c = 0; c < cols; ++c) {
            const float value = load(x, c), grad = load(dy, c);
            grad_weight[c] += grad * value * inverse;
            store(dx, c, grad * fwd.weight[c] * inverse - value * pull);
          }
        }
      }
    });
  });
  add_blocks(args.grad_weight, sums, blocks, cols);
}

void layer_norm(const RowNormArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    parallel_for(args.rows, 32, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const T* x = static_cast<const T*>(args.x.data) + r * args.cols;
        T* y = static_cast<T*>(args.y.data) + r * args.cols;
        float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t c = 0; c < args.cols; ++c) sum += load(x, c);
        const float mean = sum / static_cast<float>(args.cols);
#pragma omp simd reduction(+ : squares)
        for (int64_t c = 0; c < args.cols; ++c) {
          const float centred = load(x, c) - mean;
          squares += centred * centred;
        }
        const float inverse = 1.0f / std::sqrt(squares / static_cast<float>(args.cols) + args.eps);
        if (args.mean != nullptr) args.mean[r] = mean;
        if (args.inverse_std != nullptr) args.inverse_std[r] = inverse;
        for (int64_t c = 0; c < args.cols; ++c) {
          store(y, c, (load(x, c) - mean) * inverse * args.weight[c] + (args.bias != nullptr ? args.bias[c] : 0.0f));
        }
      }
    });
  });
}

void layer_norm_backward(const RowNormBackwardArgs& args) {
  const RowNormArgs& fwd = args.forward;
  const int64_t cols = fwd.cols, blocks = (fwd.rows + kRowBlock - 1) / kRowBlock;
  float* sums = block_sums(blocks, 2 * cols, kScratch);
  with_type(fwd.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    parallel_for(blocks, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t block = begin; block < end; ++block) {
        float* grad_weight = sums + block * 2 * cols;
        float* grad_bias = grad_weight + cols;
        for (int64_t r = block * kRowBlock; r < std::min(fwd.rows, (block + 1) * kRowBlock); ++r) {
          const T* x = static_cast<const T*>(fwd.x.data) + r * cols;
          const T* dy = static_cast<const T*>(args.grad_y.data) + r * cols;
          T* dx = static_cast<T*>(args.grad_x.data) + r * cols;
          const float mean = fwd.mean[r], inverse = fwd.inverse_std[r];
          float sum = 0, dot = 0;
#pragma omp simd reduction(+ : sum, dot)
          for (int64_t c = 0; c < cols; ++c) {
            const float grad = load(dy, c) * fwd.weight[c];
            sum += grad;
            dot += grad * (load(x, c) - mean) * inverse;
          }
          sum /= static_cast<float>(cols);
          dot /= static_cast<float>(cols);
          for (int64_t c = 0; c < cols; ++c) {
            const float normal = (load(x, c) - mean) * inverse, grad = load(dy, c);
            grad_weight[c] += grad * normal;
            grad_bias[c] += grad;
            store(dx, c, inverse * (grad * fwd.weight[c] - sum - normal * dot));
          }
        }
      }
    });
  });
  for (int64_t block = 0; block < blocks; ++block) {
    add_blocks(args.grad_weight, sums + block * 2 * cols, 1, cols);
    add_blocks(args.grad_bias, sums + block * 2 * cols + cols, 1, cols);
  }
}

void group_norm(const GroupNormArgs& args) {
  const int64_t channels = args.channels, groups = args.groups, width = channels / groups;
  const auto pictures = static_cast<int64_t>(args.offsets.size()) - 1;
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    with_activation(args.activation, [&](auto activation) {
      parallel_for(pictures, 1, [&](int64_t begin, int64_t end, int) {
        auto* buffer = static_cast<float*>(thread_scratch(static_cast<size_t>(4 * channels) * 4, kScratch));
        float *sum = buffer, *squares = buffer + channels, *scale = buffer + 2 * channels, *shift = buffer + 3 * channels;
        for (int64_t i = begin; i < end; ++i) {
          const int64_t first = args.offsets[static_cast<size_t>(i)], last = args.offsets[static_cast<size_t>(i + 1)];
          const T* x = static_cast<const T*>(args.x.data) + first * channels;
          T* y = static_cast<T*>(args.y.data) + first * channels;
          const int64_t rows = last - first;
          std::memset(sum, 0, static_cast<size_t>(2 * channels) * 4);
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t c = 0; c < channels; ++c) {
              const float value = load(x, r * channels + c);
              sum[c] += value;
              squares[c] += value * value;
            }
          }
          const double count = static_cast<double>(rows * width);
          for (int64_t g = 0; g < groups; ++g) {
            double total = 0, total_squares = 0;
            for (int64_t c = g * width; c < (g + 1) * width; ++c) total += sum[c], total_squares += squares[c];
            const double mean = total / count;
            const double variance = std::max(0.0, total_squares / count - mean * mean);
            const auto inverse = static_cast<float>(1.0 / std::sqrt(variance + static_cast<double>(args.eps)));
            if (args.mean != nullptr) args.mean[i * groups + g] = static_cast<float>(mean);
            if (args.inverse_std != nullptr) args.inverse_std[i * groups + g] = inverse;
            for (int64_t c = g * width; c < (g + 1) * width; ++c) {
              scale[c] = inverse * args.weight[c];
              shift[c] = args.bias[c] - static_cast<float>(mean) * scale[c];
            }
          }
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t c = 0; c < channels; ++c) {
              store(y, r * channels + c, activate(activation(), load(x, r * channels + c) * scale[c] + shift[c]));
            }
          }
        }
      });
    });
  });
}

void group_norm_backward(const GroupNormBackwardArgs& args) {
  const GroupNormArgs& fwd = args.forward;
  const int64_t channels = fwd.channels, groups = fwd.groups, width = channels / groups;
  const auto pictures = static_cast<int64_t>(fwd.offsets.size()) - 1;
  float* sums = block_sums(pictures, 2 * channels, kScratch + 1);
  with_type(fwd.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    with_activation(fwd.activation, [&](auto activation) {
      parallel_for(pictures, 1, [&](int64_t begin, int64_t end, int) {
        auto* buffer = static_cast<float*>(thread_scratch(static_cast<size_t>(4 * channels) * 4, kScratch));
        float *mean = buffer, *inverse = buffer + channels, *pull = buffer + 2 * channels, *tilt = buffer + 3 * channels;
        for (int64_t i = begin; i < end; ++i) {
          const int64_t first = fwd.offsets[static_cast<size_t>(i)], rows = fwd.offsets[static_cast<size_t>(i + 1)] - first;
          const T* x = static_cast<const T*>(fwd.x.data) + first * channels;
          const T* dy = static_cast<const T*>(args.grad_y.data) + first * channels;
          T* dx = static_cast<T*>(args.grad_x.data) + first * channels;
          float* grad_weight = sums + i * 2 * channels;
          float* grad_bias = grad_weight + channels;
          for (int64_t c = 0; c < channels; ++c) {
            mean[c] = fwd.mean[i * groups + c / width];
            inverse[c] = fwd.inverse_std[i * groups + c / width];
          }
          // The gradient of the normalised value, before its weight.
          const auto inner = [&](int64_t at, int64_t c, float normal) {
            return load(dy, at) * activation_slope(activation(), normal * fwd.weight[c] + fwd.bias[c]);
          };
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t c = 0; c < channels; ++c) {
              const float normal = (load(x, r * channels + c) - mean[c]) * inverse[c];
              const float grad = inner(r * channels + c, c, normal);
              grad_weight[c] += grad * normal;
              grad_bias[c] += grad;
            }
          }
          const double count = static_cast<double>(rows * width);
          for (int64_t g = 0; g < groups; ++g) {
            double sum = 0, dot = 0;
            for (int64_t c = g * width; c < (g + 1) * width; ++c) {
              sum += static_cast<double>(grad_bias[c]) * fwd.weight[c];
              dot += static_cast<double>(grad_weight[c]) * fwd.weight[c];
            }
            for (int64_t c = g * width; c < (g + 1) * width; ++c) {
              pull[c] = static_cast<float>(sum / count);
              tilt[c] = static_cast<float>(dot / count);
            }
          }
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t c = 0; c < channels; ++c) {
              const float normal = (load(x, r * channels + c) - mean[c]) * inverse[c];
              const float grad = inner(r * channels + c, c, normal) * fwd.weight[c];
              store(dx, r * channels + c, inverse[c] * (grad - pull[c] - normal * tilt[c]));
            }
          }
        }
      });
    });
  });
  for (int64_t i = 0; i < pictures; ++i) {
    add_blocks(args.grad_weight, sums + i * 2 * channels, 1, channels);
    add_blocks(args.grad_bias, sums + i * 2 * channels + channels, 1, channels);
  }
}

SENSORIUM_ISA_END
