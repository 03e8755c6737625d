// The two inner loops of resize(): sums of 8-bit samples times 22-bit fixed-point weights, modulo 2^32, rounded and
// clipped to 8 bits. Every implementation gives the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "media/resize.h"

namespace sensorium::media::detail {

inline constexpr int kPrecisionBits = 32 - 8 - 2;  // 8 bits of sample, 2 bits of head room for overshoot

// For every output position the source positions that it sums and their weights.
struct ResizeTaps {
  int stride = 0;                 // weights per output: the largest count rounded up to kTapMultiple, filled with zeros
  std::vector<int> first, count;  // [outputs]; first + count lies in the source
  std::vector<int32_t> weights;   // [outputs, stride]
  // weight = high * 4096 + low, so that 16-bit multiply-adds sum them exactly: [outputs, stride].
  std::vector<int16_t> high, low;
};
inline constexpr int kTapMultiple = 8;
inline constexpr int kSplitBits = 12;
// Horizontal kernels read taps in whole vectors: this many bytes past a row's end must be readable; they weigh nothing.
inline constexpr size_t kRowPadding = 32;
inline constexpr int kRowGroup = 4;

struct ResizeKernels {
  // kRowGroup rows at once: out[r][x, c] = sum over t of rows[r][first[x] + t, c] * weights[x, t].
  void (*horizontal)(const uint8_t* const rows[kRowGroup], uint8_t* const out[kRowGroup], int channels,
                     const ResizeTaps& taps);
  // out[i] = sum over t < count of rows[t * stride + i] * weights[t], for i < samples.
  void (*vertical)(const uint8_t* rows, size_t stride, int count, const int32_t* weights, const int16_t* high,
                   const int16_t* low, uint8_t* out, size_t samples);
};

const ResizeKernels& scalar_resize_kernels();
// The fastest that this processor runs.
const ResizeKernels& best_resize_kernels();

// resize() with the kernels given: tests compare them.
Image resize_with(const Image& image, int width, int height, ResizeFilter filter, const ResizeBox& box,
                  const ResizeKernels& kernels);

}  // namespace sensorium::media::detail
