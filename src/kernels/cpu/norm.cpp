// RMSNorm and LayerNorm. A row stays in the first-level cache between its passes; weight gradients are summed over blocks of
// rows whose number depends on the shape alone, and the blocks are combined in order.
#include <algorithm>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/simd.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kGrain = 16384;  // elements of a task
constexpr int64_t kMaxBlocks = 64;
constexpr int kScratch = 7;

int64_t rows_per_task(int64_t cols) { return kGrain / (cols + 1) + 1; }

// Blocks of rows for weight gradients, with a row of zeroed sums for each in the calling thread's scratch memory.
struct RowBlocks {
  RowBlocks(int64_t rows, int64_t sum_width, int64_t cols)
      : total(rows),
        size(std::max((rows + kMaxBlocks - 1) / kMaxBlocks, rows_per_task(cols))),
        count((rows + size - 1) / size),
        width(sum_width),
        sums(block_sums(count, sum_width, kScratch)) {}
  int64_t begin(int64_t block) const { return block * size; }
  int64_t end(int64_t block) const { return std::min(total, (block + 1) * size); }
  // out += the sums of all blocks, columns first..first + cols of each.
  void add_to(float* out, int64_t first, int64_t cols) const {
    if (out == nullptr) return;
    for (int64_t b = 0; b < count; ++b) {
      map(
          cols, out, [](Floats a, Floats c) { return a + c; }, out, sums + b * width + first);
    }
  }
  int64_t total, size, count, width;
  float* sums;
};

}  // namespace

void rms_norm(const RowNormArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    const int64_t cols = args.cols;
    parallel_for(args.rows, rows_per_task(cols), [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const T* x = static_cast<const T*>(args.x.data) + r * cols;
        T* y = static_cast<T*>(args.y.data) + r * cols;
        const float squares = sum(
            cols, [](Floats v) { return v * v; }, x);
        const float inverse = 1.0f / std::sqrt(squares / static_cast<float>(cols) + args.eps);
        if (args.inverse_std != nullptr) args.inverse_std[r] = inverse;
        map(
            cols, y, [=](Floats v, Floats w) { return v * inverse * w; }, x, args.weight);
      }
    });
  });
}

void rms_norm_backward(const RowNormBackwardArgs& args) {
  const RowNormArgs& forward = args.forward;
  const int64_t cols = forward.cols;
  const RowBlocks blocks(forward.rows, cols, cols);
  with_type(forward.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    parallel_for(blocks.count, 1, [&](int64_t first, int64_t last, int) {
      for (int64_t block = first; block < last; ++block) {
        float* grad_weight = blocks.sums + block * blocks.width;
        for (int64_t r = blocks.begin(block); r < blocks.end(block); ++r) {
          const T* x = static_cast<const T*>(forward.x.data) + r * cols;
          const T* dy = static_cast<const T*>(args.grad_y.data) + r * cols;
          T* dx = static_cast<T*>(args.grad_x.data) + r * cols;
          const float inverse = forward.inverse_std[r];
          const float dot = sum(
              cols, [](Floats v, Floats d, Floats w) { return d * w * v; }, x, dy, forward.weight);
          const float pull = dot * inverse * inverse / static_cast<float>(cols);
          map(
              cols, grad_weight, [=](Floats g, Floats v, Floats d) { return g + d * (v * inverse); }, grad_weight, x,
              dy);
          map(
              cols, dx, [=](Floats v, Floats d, Floats w) { return inverse * (d * w - v * pull); }, x, dy,
              forward.weight);
        }
      }
    });
  });
  blocks.add_to(args.grad_weight, 0, cols);
}

void layer_norm(const RowNormArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    const int64_t cols = args.cols;
    parallel_for(args.rows, rows_per_task(cols), [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const T* x = static_cast<const T*>(args.x.data) + r * cols;
        T* y = static_cast<T*>(args.y.data) + r * cols;
        const float mean = sum(
                               cols, [](Floats v) { return v; }, x) /
                           static_cast<float>(cols);
        const float squares = sum(
            cols, [=](Floats v) { return (v - mean) * (v - mean); }, x);
        const float inverse = 1.0f / std::sqrt(squares / static_cast<float>(cols) + args.eps);
        if (args.mean != nullptr) args.mean[r] = mean;
        if (args.inverse_std != nullptr) args.inverse_std[r] = inverse;
        if (args.bias != nullptr) {
          map(
              cols, y, [=](Floats v, Floats w, Floats b) { return (v - mean) * inverse * w + b; }, x, args.weight,
              args.bias);
        } else {
          map(
              cols, y, [=](Floats v, Floats w) { return (v - mean) * inverse * w; }, x, args.weight);
        }
      }
    });
  });
}

void layer_norm_backward(const RowNormBackwardArgs& args) {
  const RowNormArgs& forward = args.forward;
  const int64_t cols = forward.cols;
  const RowBlocks blocks(forward.rows, 2 * cols, cols);
  with_type(forward.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    parallel_for(blocks.count, 1, [&](int64_t first, int64_t last, int) {
      for (int64_t block = first; block < last; ++block) {
        float* grad_weight = blocks.sums + block * blocks.width;
        float* grad_bias = grad_weight + cols;
        for (int64_t r = blocks.begin(block); r < blocks.end(block); ++r) {
          const T* x = static_cast<const T*>(forward.x.data) + r * cols;
          const T* dy = static_cast<const T*>(args.grad_y.data) + r * cols;
          T* dx = static_cast<T*>(args.grad_x.data) + r * cols;
          const float mean = forward.mean[r], inverse = forward.inverse_std[r];
          const float level = sum(
              cols, [](Floats d, Floats w) { return d * w; }, dy, forward.weight);
          const float dot = sum(
              cols, [=](Floats v, Floats d, Floats w) { return d * w * (v - mean); }, x, dy, forward.weight);
          const float shift = level / static_cast<float>(cols),
                      pull = dot * inverse * inverse / static_cast<float>(cols);
          map(
              cols, grad_weight, [=](Floats g, Floats v, Floats d) { return g + d * ((v - mean) * inverse); },
              grad_weight, x, dy);
          map(
              cols, grad_bias, [](Floats g, Floats d) { return g + d; }, grad_bias, dy);
          map(
              cols, dx, [=](Floats v, Floats d, Floats w) { return inverse * (d * w - shift - (v - mean) * pull); }, x,
              dy, forward.weight);
        }
      }
    });
  });
  blocks.add_to(args.grad_weight, 0, cols);
  blocks.add_to(args.grad_bias, cols, cols);
}

SENSORIUM_ISA_END
