// Depthwise convolution: every channel has its own kernel, so rows of channels are vectors.
#include "kernels/cpu/conv/layout.h"

SENSORIUM_ISA_BEGIN
namespace {

// f(row of out, row of x, kernel position) for all that meet.
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

template <typename T>
void run(const Conv2dArgs& args, Depthwise direction) {
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
          for (int64_t c = 0; c < channels; ++c)
            sum[tap * channels + c] += load(y, out * channels + c) * load(x, in * channels + c);
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
        for (int64_t c = 0; c < channels; ++c)
          sum[r * channels + c] = forward && args.bias != nullptr ? args.bias[c] : 0.0f;
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

void depthwise(const Conv2dArgs& args, Depthwise direction) {
  with_type(args.x.dtype, [&](auto* tag) { run<Pointee<decltype(tag)>>(args, direction); });
}

SENSORIUM_ISA_END
