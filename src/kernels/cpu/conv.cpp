// Convolution as matrix products over gathered rows (im2col). Blocks of gathered rows stay in L2 and go straight into the
// product; pictures of different sizes stand in one packed list, so a block may span several.
//
// The gradient of the input is gathered too, so that each of its elements has one owner: for stride s, input positions whose
// (y + padding) mod s and (x + padding) mod s agree see the same taps of the kernel, at neighbouring outputs. Each of these
// s x s phases is a convolution of stride 1 with its part of the kernel, flipped (Dumoulin and Visin 2016, section 4).
#include "kernels/cpu/conv/layout.h"
#include "kernels/cpu/cpu.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int kRowsScratch = 6, kOffsetsScratch = 5, kWeightScratch = 4, kSumsScratch = 3;  // gemm has 0 and 1
constexpr int64_t kBlockBytes = 256 << 10;
// The product for the gradient of a small weight has too few tiles for the threads: rows are split into this many parts.
constexpr int64_t kWeightParts = 16;
constexpr int64_t kSmallWeight = 1 << 16;
constexpr int64_t kWeightBlockBytes = 4 << 20;

int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// A grid of windows on packed pictures: window (gy, gx) of picture i has its corner at position
// (gy * step + corner_y, gx * step + corner_x), which may lie outside, as may all of it: zeros are read there.
struct Windows {
  int64_t pictures, channels;
  int64_t height, width;  // of a window, in positions
  int64_t step, corner_y, corner_x;
  const int64_t* source;  // first row of every picture
  const int64_t* grid;    // first window of every picture, and their number
  // Of picture i: height and width of the picture, width of the grid.
  struct Sizes {
    int64_t height, width, grid_width;
  };

  int64_t count() const { return grid[pictures]; }
  int64_t length() const { return height * width * channels; }

  // Windows first..first+count, one row of `to` each.
  template <typename T, typename SizesOf>
  void gather(const T* from, int64_t first, int64_t count, const SizesOf& sizes_of, T* to) const {
    int64_t picture = std::upper_bound(grid, grid + pictures + 1, first) - grid - 1;
    while (count > 0) {
      const Sizes sizes = sizes_of(picture);
      const int64_t here = std::min(count, grid[picture + 1] - first);
      const T* base = from + source[picture] * channels;
      int64_t gy = (first - grid[picture]) / std::max<int64_t>(sizes.grid_width, 1);
      int64_t gx = first - grid[picture] - gy * sizes.grid_width;
      for (int64_t i = 0; i < here; ++i, to += length()) {
        copy(base, sizes, gy * step + corner_y, gx * step + corner_x, to);
        if (++gx == sizes.grid_width) gx = 0, ++gy;
      }
      first += here;
      count -= here;
      ++picture;
    }
  }

 private:
  template <typename T>
  void copy(const T* base, const Sizes& sizes, int64_t y0, int64_t x0, T* to) const {
    // Columns of the window inside the picture: left..right.
    const int64_t left = std::clamp<int64_t>(-x0, 0, width), right = std::clamp(sizes.width - x0, left, width);
    const int64_t row = width * channels;
    for (int64_t ky = 0; ky < height; ++ky, to += row) {
      const int64_t y = y0 + ky;
      if (y < 0 || y >= sizes.height || left == right) {
        std::memset(static_cast<void*>(to), 0, static_cast<size_t>(row) * sizeof(T));
        continue;
      }
      if (left > 0) std::memset(static_cast<void*>(to), 0, static_cast<size_t>(left * channels) * sizeof(T));
      std::memcpy(static_cast<void*>(to + left * channels), base + (y * sizes.width + x0 + left) * channels,
                  static_cast<size_t>((right - left) * channels) * sizeof(T));
      if (right < width) {
        std::memset(static_cast<void*>(to + right * channels), 0,
                    static_cast<size_t>((width - right) * channels) * sizeof(T));
      }
    }
  }
};

bool is_pointwise(const Conv2dArgs& args) { return args.kernel == 1 && args.stride == 1 && args.padding == 0; }

Windows forward_windows(const Layout& layout) {
  const Conv2dArgs& args = layout.args;
  return {layout.pictures, args.in_channels, args.kernel, args.kernel, args.stride,
          -args.padding,   -args.padding,    layout.in,   layout.out};
}
auto forward_sizes(const Layout& layout) {
  return [&layout](int64_t i) { return Windows::Sizes{layout.height(i), layout.width(i), layout.out_width(i)}; };
}

// y rows = gathered rows * packed weight, over blocks; finish(first, count, rows of the result) where `to` is none.
template <typename T, typename SizesOf, typename Finish>
void multiply_windows(const Windows& windows, const T* from, DType type, const SizesOf& sizes_of,
                      const PackedMatrix& weight, const float* bias, DType compute, T* to, const Finish& finish) {
  const int64_t length = windows.length(), n = weight.n();
  // A multiple of the micro-kernel's rows; at least some, so that the weight is not read for too few.
  const int64_t block =
      std::clamp<int64_t>(kBlockBytes / (length * static_cast<int64_t>(sizeof(T))) / 96 * 96, 96, 960);
  parallel_for(ceil_divide(windows.count(), block), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t first = b * block, count = std::min(block, windows.count() - first);
      auto* rows = static_cast<T*>(
          thread_scratch(static_cast<size_t>(block * (length + (to == nullptr ? n : 0))) * sizeof(T), kRowsScratch));
      windows.gather(from, first, count, sizes_of, rows);
      T* result = to != nullptr ? to + first * n : rows + block * length;
      GemmArgs product;
      product.m = count;
      product.n = n;
      product.k = length;
      product.a = {rows, type, length, 1};
      product.c = result;
      product.c_dtype = type;
      product.ldc = n;
      product.bias = bias;
      product.compute = compute;
      gemm_packed(product, weight);
      finish(first, count, result);
    }
  });
}

template <typename T>
void forward_dense(const Conv2dArgs& args) {
  const Layout layout(args);
  const int64_t patch = layout.patch();
  if (is_pointwise(args)) {
    GemmArgs product;
    product.m = layout.out_rows();
    product.n = args.out_channels;
    product.k = patch;
    product.a = {args.x.data, args.x.dtype, patch, 1};
    product.b = {args.w.data, args.w.dtype, 1, patch};
    product.c = args.y.data;
    product.c_dtype = args.y.dtype;
    product.ldc = args.out_channels;
    product.bias = args.bias;
    product.compute = args.compute;
    cpu::SENSORIUM_ISA::gemm(product);
    return;
  }
  const PackedMatrix weight = pack_rhs({args.w.data, args.w.dtype, 1, patch}, patch, args.out_channels, args.compute);
  multiply_windows(forward_windows(layout), static_cast<const T*>(args.x.data), args.x.dtype, forward_sizes(layout),
                   weight, args.bias, args.compute, static_cast<T*>(args.y.data), [](int64_t, int64_t, const T*) {});
}

// The part of the kernel that input positions of phase (py, px) see, and where these positions are.
struct Phase {
  int64_t taps_y, taps_x;    // of the kernel
  int64_t first_y, first_x;  // the first position along each side
};

// taps_y x taps_x x out_channels rows of in_channels columns, the taps in descending order.
template <typename W>
PackedMatrix phase_weight(const Conv2dArgs& args, const Phase& phase, int64_t py, int64_t px) {
  const int64_t rows = phase.taps_y * phase.taps_x * args.out_channels, channels = args.in_channels;
  auto* weight = static_cast<W*>(thread_scratch(static_cast<size_t>(rows * channels) * sizeof(W), kWeightScratch));
  const W* w = static_cast<const W*>(args.w.data);
  W* to = weight;
  for (int64_t j = phase.taps_y - 1; j >= 0; --j) {
    for (int64_t i = phase.taps_x - 1; i >= 0; --i) {
      const int64_t tap = (py + j * args.stride) * args.kernel + px + i * args.stride;
      for (int64_t n = 0; n < args.out_channels; ++n, to += channels) {
        std::memcpy(static_cast<void*>(to), w + (n * args.kernel * args.kernel + tap) * channels,
                    static_cast<size_t>(channels) * sizeof(W));
      }
    }
  }
  return pack_rhs({weight, args.w.dtype, channels, 1}, rows, channels, args.compute);
}

template <typename T>
void backward_input_phase(const Layout& layout, int64_t py, int64_t px) {
  const Conv2dArgs& args = layout.args;
  const int64_t s = args.stride, channels = args.in_channels;
  const auto taps = [&](int64_t p) { return p < args.kernel ? ceil_divide(args.kernel - p, s) : 0; };
  const auto first_position = [&](int64_t p) { return ((p - args.padding) % s + s) % s; };
  const Phase phase{taps(py), taps(px), first_position(py), first_position(px)};
  const auto grid_height = [&](int64_t i) {
    return ceil_divide(std::max<int64_t>(layout.height(i) - phase.first_y, 0), s);
  };
  const auto grid_width = [&](int64_t i) {
    return ceil_divide(std::max<int64_t>(layout.width(i) - phase.first_x, 0), s);
  };
  auto* grid = static_cast<int64_t*>(
      thread_scratch(static_cast<size_t>(layout.pictures + 1) * sizeof(int64_t), kOffsetsScratch));
  grid[0] = 0;
  for (int64_t i = 0; i < layout.pictures; ++i) grid[i + 1] = grid[i] + grid_height(i) * grid_width(i);
  if (grid[layout.pictures] == 0) return;

  T* grad_x = static_cast<T*>(args.x.data);
  // Rows first..first+count of the phase to their places; none: zeros.
  const auto scatter = [&](int64_t first, int64_t count, const T* rows) {
    int64_t picture = std::upper_bound(grid, grid + layout.pictures + 1, first) - grid - 1;
    for (int64_t row = first; row < first + count; ++row) {
      while (row >= grid[picture + 1]) ++picture;
      const int64_t local = row - grid[picture], across = grid_width(picture);
      const int64_t y = local / across * s + phase.first_y, x = local % across * s + phase.first_x;
      T* to = grad_x + (layout.in[picture] + y * layout.width(picture) + x) * channels;
      const size_t bytes = static_cast<size_t>(channels) * sizeof(T);
      if (rows == nullptr) {
        std::memset(static_cast<void*>(to), 0, bytes);
      } else {
        std::memcpy(static_cast<void*>(to), rows + (row - first) * channels, bytes);
      }
    }
  };
  if (phase.taps_y == 0 || phase.taps_x == 0) {
    scatter(0, grid[layout.pictures], nullptr);
    return;
  }
  PackedMatrix weight;
  with_type(args.w.dtype, [&](auto* tag) { weight = phase_weight<Pointee<decltype(tag)>>(args, phase, py, px); });
  // Position first + s * g sees outputs (first + padding - p) / s + g - j for tap p + s * j.
  const Windows windows{layout.pictures,
                        args.out_channels,
                        phase.taps_y,
                        phase.taps_x,
                        1,
                        (phase.first_y + args.padding - py) / s - (phase.taps_y - 1),
                        (phase.first_x + args.padding - px) / s - (phase.taps_x - 1),
                        layout.out,
                        grid};
  const auto sizes_of = [&](int64_t i) {
    return Windows::Sizes{layout.out_height(i), layout.out_width(i), grid_width(i)};
  };
  multiply_windows(windows, static_cast<const T*>(args.y.data), args.y.dtype, sizes_of, weight, nullptr, args.compute,
                   s == 1 ? grad_x : nullptr, [&](int64_t first, int64_t count, const T* rows) {
                     if (s > 1) scatter(first, count, rows);
                   });
}

template <typename T>
void backward_input_dense(const Conv2dArgs& args) {
  const Layout layout(args);
  if (is_pointwise(args)) {
    GemmArgs product;
    product.m = layout.in_rows();
    product.n = args.in_channels;
    product.k = args.out_channels;
    product.a = {args.y.data, args.y.dtype, args.out_channels, 1};
    product.b = {args.w.data, args.w.dtype, args.in_channels, 1};
    product.c = args.x.data;
    product.c_dtype = args.x.dtype;
    product.ldc = args.in_channels;
    product.compute = args.compute;
    cpu::SENSORIUM_ISA::gemm(product);
    return;
  }
  for (int64_t py = 0; py < args.stride; ++py) {
    for (int64_t px = 0; px < args.stride; ++px) backward_input_phase<T>(layout, py, px);
  }
}

// sums += grad_y^T * gathered rows, for rows first..last, in blocks of at most `block`.
template <typename T, typename Gather>
void add_weight_product(const Layout& layout, int64_t first, int64_t last, int64_t block, const Gather& gather,
                        float* sums) {
  const Conv2dArgs& args = layout.args;
  const int64_t patch = layout.patch();
  for (; first < last; first += block) {
    const int64_t count = std::min(block, last - first);
    GemmArgs product;
    product.m = args.out_channels;
    product.n = patch;
    product.k = count;
    product.a = {static_cast<const T*>(args.y.data) + first * args.out_channels, args.y.dtype, 1, args.out_channels};
    product.b = {gather(first, count), args.x.dtype, patch, 1};
    product.c = sums;
    product.ldc = patch;
    product.accumulate = true;
    product.compute = args.compute;
    cpu::SENSORIUM_ISA::gemm(product);
  }
}

template <typename T>
void backward_weight_dense(const Conv2dArgs& args) {
  const Layout layout(args);
  const int64_t rows = layout.out_rows(), patch = layout.patch(), size = args.out_channels * patch;
  const T* x = static_cast<const T*>(args.x.data);
  auto* grad = static_cast<float*>(args.w.data);
  const Windows windows = forward_windows(layout);
  const auto sizes_of = forward_sizes(layout);
  const auto row_bytes = patch * static_cast<int64_t>(sizeof(T));
  const auto gather = [&](int64_t first, int64_t count) -> const T* {
    if (is_pointwise(args)) return x + first * patch;
    auto* to = static_cast<T*>(thread_scratch(static_cast<size_t>(count * row_bytes), kRowsScratch));
    parallel_for(count, 64, [&](int64_t begin, int64_t end, int) {
      windows.gather(x, first + begin, end - begin, sizes_of, to + begin * patch);
    });
    return to;
  };
  if (size > kSmallWeight || rows < kWeightParts * 64) {
    const int64_t block = std::clamp<int64_t>(kWeightBlockBytes / row_bytes, 512, 8192);
    add_weight_product<T>(layout, 0, rows, block, gather, grad);
    return;
  }
  const int64_t part = ceil_divide(ceil_divide(rows, kWeightParts), 2) * 2;
  const int64_t block = std::clamp<int64_t>(kBlockBytes / row_bytes / 2 * 2, 256, 4096);
  float* sums = block_sums(kWeightParts, size, kSumsScratch);
  parallel_for(kWeightParts, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t p = begin; p < end; ++p) {
      add_weight_product<T>(layout, std::min(p * part, rows), std::min((p + 1) * part, rows), block, gather,
                            sums + p * size);
    }
  });
  add_blocks(grad, sums, kWeightParts, size);
}

}  // namespace

void conv2d(const Conv2dArgs& args) {
  if (args.groups != 1) return depthwise(args, Depthwise::forward);
  with_type(args.x.dtype, [&](auto* tag) { forward_dense<Pointee<decltype(tag)>>(args); });
}

void conv2d_backward_input(const Conv2dArgs& args) {
  if (args.groups != 1) return depthwise(args, Depthwise::backward_input);
  with_type(args.x.dtype, [&](auto* tag) { backward_input_dense<Pointee<decltype(tag)>>(args); });
}

void conv2d_backward_weight(const Conv2dArgs& args) {
  if (args.groups != 1) {
    depthwise(args, Depthwise::backward_weight);
  } else {
    with_type(args.x.dtype, [&](auto* tag) { backward_weight_dense<Pointee<decltype(tag)>>(args); });
  }
  if (args.bias != nullptr) {
    const int64_t rows = Layout(args).out_rows();
    column_sum({.rows = rows, .cols = args.out_channels, .x = args.y, .out = args.bias});
  }
}

SENSORIUM_ISA_END
