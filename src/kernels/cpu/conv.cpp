// Convolution as matrix products over gathered rows (im2col): blocks of output positions, so that the gathered rows stay in
// the caches. Pictures of different sizes stand in one packed list, so a block may span several.
#include <algorithm>

#include "kernels/cpu/isa.h"

SENSORIUM_ISA_BEGIN

void gemm(const GemmArgs& args);

namespace {

constexpr int64_t kBlockRows = 4096;
constexpr int kColumns = 6, kOffsets = 7;  // scratch slots; gemm has 0 and 1

// First rows of every picture on both sides, in the calling thread's scratch.
struct Layout {
  const Conv2dArgs& args;
  int64_t pictures;
  int64_t* in;   // pictures + 1
  int64_t* out;  // pictures + 1

  explicit Layout(const Conv2dArgs& a) : args(a), pictures(static_cast<int64_t>(a.heights.size())) {
    in = static_cast<int64_t*>(thread_scratch(static_cast<size_t>(2 * (pictures + 1)) * sizeof(int64_t), kOffsets));
    out = in + pictures + 1;
    in[0] = out[0] = 0;
    for (int64_t i = 0; i < pictures; ++i) {
      in[i + 1] = in[i] + int64_t{height(i)} * width(i);
      out[i + 1] = out[i] + out_height(i) * out_width(i);
    }
  }
  int32_t height(int64_t i) const { return args.heights[static_cast<size_t>(i)]; }
  int32_t width(int64_t i) const { return args.widths[static_cast<size_t>(i)]; }
  int64_t out_height(int64_t i) const { return conv_output_size(height(i), args.kernel, args.stride, args.padding); }
  int64_t out_width(int64_t i) const { return conv_output_size(width(i), args.kernel, args.stride, args.padding); }
  int64_t picture_of(int64_t out_row) const { return std::upper_bound(out, out + pictures + 1, out_row) - out - 1; }
  int64_t patch() const { return args.kernel * args.kernel * args.in_channels; }
};

// rows first..first+count of the matrix whose row p holds the kernel x kernel x channels values that output p sees.
template <typename T>
void gather(const Layout& layout, const T* x, int64_t first, int64_t count, T* columns) {
  const Conv2dArgs& args = layout.args;
  const int64_t channels = args.in_channels;
  parallel_for(count, 128, [&](int64_t begin, int64_t end, int) {
    int64_t picture = layout.picture_of(first + begin);
    for (int64_t row = first + begin; row < first + end; ++row) {
      while (row >= layout.out[picture + 1]) ++picture;
      const int64_t local = row - layout.out[picture], out_width = layout.out_width(picture);
      const int64_t y0 = local / out_width * args.stride - args.padding, x0 = local % out_width * args.stride - args.padding;
      const int64_t height = layout.height(picture), width = layout.width(picture);
      T* to = columns + (row - first) * layout.patch();
      for (int64_t ky = 0; ky < args.kernel; ++ky) {
        const int64_t py = y0 + ky;
        if (py >= 0 && py < height && x0 >= 0 && x0 + args.kernel <= width) {
          std::memcpy(static_cast<void*>(to), x + (layout.in[picture] + py * width + x0) * channels,
                      static_cast<size_t>(args.kernel * channels) * sizeof(T));
          to += args.kernel * channels;
          continue;
        }
        for (int64_t kx = 0; kx < args.kernel; ++kx, to += channels) {
          const int64_t px = x0 + kx;
          const bool inside = py >= 0 && py < height && px >= 0 && px < width;
          const size_t bytes = static_cast<size_t>(channels) * sizeof(T);
          if (inside) {
            std::memcpy(static_cast<void*>(to), x + (layout.in[picture] + py * width + px) * channels, bytes);
          } else {
            std::memset(static_cast<void*>(to), 0, bytes);
          }
        }
      }
    }
  });
}

bool is_pointwise(const Conv2dArgs& args) { return args.kernel == 1 && args.stride == 1 && args.padding == 0 && args.groups == 1; }

template <typename T>
void forward_dense(const Conv2dArgs& args) {
  const Layout layout(args);
  const int64_t rows = layout.out[layout.pictures], patch = layout.patch();
  const T* x = static_cast<const T*>(args.x.data);
  T* y = static_cast<T*>(args.y.data);
  T* columns = is_pointwise(args) ? nullptr
                                  : static_cast<T*>(thread_scratch(static_cast<size_t>(kBlockRows * patch) * sizeof(T), kColumns));
  for (int64_t first = 0; first < rows; first += kBlockRows) {
    const int64_t count = std::min(kBlockRows, rows - first);
    if (columns != nullptr) gather(layout, x, first, count, columns);
    GemmArgs product;
    product.m = count;
    product.n = args.out_channels;
    product.k = patch;
    product.a = {columns != nullptr ? columns : x + first * patch, args.x.dtype, patch, 1};
    product.b = {args.w.data, args.w.dtype, 1, patch};
    product.c = y + first * args.out_channels;
    product.c_dtype = args.y.dtype;
    product.ldc = args.out_channels;
    product.bias = args.bias;
    product.compute = args.compute;
    cpu::SENSORIUM_ISA::gemm(product);
  }
}

template <typename T>
void backward_input_dense(const Conv2dArgs& args) {
  const Layout layout(args);
  const int64_t patch = layout.patch(), channels = args.in_channels;
  T* grad_x = static_cast<T*>(args.x.data);
  // Whole pictures at a time: the gradients of overlapping patches meet inside a picture.
  for (int64_t picture = 0; picture < layout.pictures;) {
    int64_t last = picture + 1;
    while (last < layout.pictures && layout.out[last + 1] - layout.out[picture] <= kBlockRows) ++last;
    const int64_t first = layout.out[picture], count = layout.out[last] - first;
    GemmArgs product;
    product.m = count;
    product.n = patch;
    product.k = args.out_channels;
    product.a = {static_cast<const T*>(args.y.data) + first * args.out_channels, args.y.dtype, args.out_channels, 1};
    product.b = {args.w.data, args.w.dtype, patch, 1};
    product.c_dtype = args.x.dtype;
    product.ldc = patch;
    product.compute = args.compute;
    if (is_pointwise(args)) {
      product.c = grad_x + first * channels;
      cpu::SENSORIUM_ISA::gemm(product);
      picture = last;
      continue;
    }
    T* columns = static_cast<T*>(thread_scratch(static_cast<size_t>(count * patch) * sizeof(T), kColumns));
    product.c = columns;
    cpu::SENSORIUM_ISA::gemm(product);
    parallel_for(last - picture, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = picture + begin; i < picture + end; ++i) {
        const int64_t height = layout.height(i), width = layout.width(i), out_h = layout.out_height(i), out_w = layout.out_width(i);
        auto* sum = static_cast<float*>(thread_scratch(static_cast<size_t>(channels) * 4, 3));
        for (int64_t py = 0; py < height; ++py) {
          for (int64_t px = 0; px < width; ++px) {
            std::memset(sum, 0, static_cast<size_t>(channels) * 4);
            for (int64_t ky = 0; ky < args.kernel; ++ky) {
              const int64_t sy = py + args.padding - ky;
              if (sy < 0 || sy % args.stride != 0 || sy / args.stride >= out_h) continue;
              for (int64_t kx = 0; kx < args.kernel; ++kx) {
                const int64_t sx = px + args.padding - kx;
                if (sx < 0 || sx % args.stride != 0 || sx / args.stride >= out_w) continue;
                const int64_t row = layout.out[i] - first + sy / args.stride * out_w + sx / args.stride;
                const T* from = columns + row * patch + (ky * args.kernel + kx) * channels;
                for (int64_t c = 0; c < channels; ++c) sum[c] += load(from, c);
              }
            }
            T* to = grad_x + (layout.in[i] + py * width + px) * channels;
            for (int64_t c = 0; c < channels; ++c) store(to, c, sum[c]);
          }
        }
      }
    });
    picture = last;
  }
}

template <typename T>
void backward_weight_dense(const Conv2dArgs& args) {
  const Layout layout(args);
  const int64_t rows = layout.out[layout.pictures], patch = layout.patch();
  const T* x = static_cast<const T*>(args.x.data);
  const T* grad_y = static_cast<const T*>(args.y.data);
  T* columns = is_pointwise(args) ? nullptr
                                  : static_cast<T*>(thread_scratch(static_cast<size_t>(kBlockRows * patch) * sizeof(T), kColumns));
  for (int64_t first = 0; first < rows; first += kBlockRows) {
    const int64_t count = std::min(kBlockRows, rows - first);
    if (columns != nullptr) gather(layout, x, first, count, columns);
    GemmArgs product;
    product.m = args.out_channels;
    product.n = patch;
    product.k = count;
    product.a = {grad_y + first * args.out_channels, args.y.dtype, 1, args.out_channels};
    product.b = {columns != nullptr ? columns : x + first * patch, args.x.dtype, patch, 1};
    product.c = args.w.data;
    product.ldc = patch;
    product.accumulate = true;
    product.compute = args.compute;
    cpu::SENSORIUM_ISA::gemm(product);
  }
}

// Depthwise: every channel has its own kernel; f(row of out, row of x, kernel position) for all that meet.
template <typename Fn>
void for_depthwise(const Layout& layout, int64_t picture, Fn&& fn) {
  const Conv2dArgs& args = layout.args;
  const int64_t height = layout.height(picture), width = layout.width(picture);
  const int64_t out_h = layout.out_height(picture), out_w = layout.out_width(picture);
  for (int64_t oy = 0; oy < out_h; ++oy) {
    for (int64_t ox = 0; ox < out_w; ++ox) {
      for (int64_t ky = 0; ky < args.kernel; ++ky) {
        const int64_t py = oy * args.stride - args.padding + ky;
        if (py < 0 || py >= height) continue;
        for (int64_t kx = 0; kx < args.kernel; ++kx) {
          const int64_t px = ox * args.stride - args.padding + kx;
          if (px < 0 || px >= width) continue;
          fn(layout.out[picture] + oy * out_w + ox, layout.in[picture] + py * width + px, ky * args.kernel + kx);
        }
      }
    }
  }
}

enum class Depthwise { forward, backward_input, backward_weight };

template <typename T>
void depthwise(const Conv2dArgs& args, Depthwise direction) {
  const Layout layout(args);
  const int64_t channels = args.in_channels, taps = args.kernel * args.kernel;
  // f32 sums of one picture (or of all weights), and the weight as f32 [taps][channels].
  auto* weight = static_cast<float*>(thread_scratch(static_cast<size_t>(taps * channels) * 4, 5));
  if (direction != Depthwise::backward_weight) {
    with_type(args.w.dtype, [&](auto* tag) {
      const auto* w = static_cast<const Pointee<decltype(tag)>*>(args.w.data);
      for (int64_t c = 0; c < channels; ++c) {
        for (int64_t t = 0; t < taps; ++t) weight[t * channels + c] = load(w, c * taps + t);
      }
    });
  }
  T* x = static_cast<T*>(args.x.data);
  T* y = static_cast<T*>(args.y.data);
  if (direction == Depthwise::backward_weight) {
    float* sums = block_sums(layout.pictures, taps * channels, 6);
    parallel_for(layout.pictures, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        float* sum = sums + i * taps * channels;
        for_depthwise(layout, i, [&](int64_t out, int64_t in, int64_t tap) {
          for (int64_t c = 0; c < channels; ++c) sum[tap * channels + c] += load(y, out * channels + c) * load(x, in * channels + c);
        });
      }
    });
    auto* grad = static_cast<float*>(args.w.data);
    for (int64_t i = 0; i < layout.pictures; ++i) {
      for (int64_t c = 0; c < channels; ++c) {
        for (int64_t t = 0; t < taps; ++t) grad[c * taps + t] += sums[(i * taps + t) * channels + c];
      }
    }
    return;
  }
  const bool forward = direction == Depthwise::forward;
  const int64_t* to_rows = forward ? layout.out : layout.in;
  T* to = forward ? y : x;
  const T* from = forward ? x : y;
  parallel_for(layout.pictures, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = to_rows[i], count = to_rows[i + 1] - first;
      auto* sum = static_cast<float*>(thread_scratch(static_cast<size_t>(count * channels) * 4, 4));
      for (int64_t r = 0; r < count; ++r) {
        for (int64_t c = 0; c < channels; ++c) sum[r * channels + c] = forward && args.bias != nullptr ? args.bias[c] : 0.0f;
      }
      for_depthwise(layout, i, [&](int64_t out, int64_t in, int64_t tap) {
        float* row = sum + ((forward ? out : in) - first) * channels;
        const T* source = from + (forward ? in : out) * channels;
        for (int64_t c = 0; c < channels; ++c) row[c] += load(source, c) * weight[tap * channels + c];
      });
      for (int64_t e = 0; e < count * channels; ++e) store(to, first * channels + e, sum[e]);
    }
  });
}

}  // namespace

void column_sum(const ColumnSumArgs& args);

void conv2d(const Conv2dArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    args.groups == 1 ? forward_dense<T>(args) : depthwise<T>(args, Depthwise::forward);
  });
}

void conv2d_backward_input(const Conv2dArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    args.groups == 1 ? backward_input_dense<T>(args) : depthwise<T>(args, Depthwise::backward_input);
  });
}

void conv2d_backward_weight(const Conv2dArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    args.groups == 1 ? backward_weight_dense<T>(args) : depthwise<T>(args, Depthwise::backward_weight);
  });
  if (args.bias != nullptr) {
    const Layout layout(args);
    cpu::SENSORIUM_ISA::column_sum({.rows = layout.out[layout.pictures], .cols = args.out_channels, .x = args.y, .out = args.bias});
  }
}

SENSORIUM_ISA_END
