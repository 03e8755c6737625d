#include "io/gguf_k_blocks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "tensor/dtype.h"

namespace sensorium::io {
namespace {

constexpr int kSuperBlock = 256;
constexpr int kSub = 32, kSubs = kSuperBlock / kSub;        // of Q4_K and Q5_K
constexpr int kSmall = 16, kSmalls = kSuperBlock / kSmall;  // of Q6_K

// The nearest integer (of two, the even one) within low..high; `low` for what is no number.
int nearest(float value, int low, int high) {
  if (!(value > static_cast<float>(low))) return low;
  return value >= static_cast<float>(high) ? high : static_cast<int>(std::nearbyint(value));
}

// Rounds to f16 and stores; gives the rounded value.
float store_f16(uint8_t* bytes, float value) {
  const f16 half(value);
  std::memcpy(bytes, &half.bits, 2);
  return static_cast<float>(half);
}

// value = scale x level - min, min >= 0
struct ScaleAndMin {
  float scale = 0, min = 0;
};

// Which factors of the plain scale are tried: levels 0..max_level over the range, then (max_level + first + i x step).
struct Search {
  int max_level;
  float first, step;
  int steps;
};
constexpr Search kFourBits = {15, -1.0f, 0.1f, 20}, kFiveBits = {31, -0.5f, 0.1f, 15};

// Square error of the levels that `inverse` gives, and the least-squares scale and offset for them.
struct Fit {
  std::array<uint8_t, kSub> levels;
  float sum_l = 0, sum_ll = 0, sum_xl = 0;
};
Fit fit_levels(const float* x, const float* weights, float least, float inverse, int max_level) {
  Fit fit;
  for (int i = 0; i < kSub; ++i) {
    const int level = nearest(inverse * (x[i] - least), 0, max_level);
    fit.levels[static_cast<size_t>(i)] = static_cast<uint8_t>(level);
    const float l = static_cast<float>(level), w = weights[i];
    fit.sum_l += w * l;
    fit.sum_ll += w * l * l;
    fit.sum_xl += w * l * x[i];
  }
  return fit;
}
float error_of(const float* x, const float* weights, const Fit& fit, float scale, float offset) {
  float error = 0;
  for (int i = 0; i < kSub; ++i) {
    const float difference = scale * static_cast<float>(fit.levels[static_cast<size_t>(i)]) + offset - x[i];
    error += weights[i] * (difference * difference);
  }
  return error;
}

// Large values count more: an error of theirs moves a product more.
void weigh(const float* x, float* weights) {
  float squares = 0;
  for (int i = 0; i < kSub; ++i) squares += x[i] * x[i];
  const float typical = std::sqrt(squares / kSub);
  for (int i = 0; i < kSub; ++i) weights[i] = typical + std::fabs(x[i]);
}

ScaleAndMin best_scale_and_min(const float* x, const Search& search) {
  std::array<float, kSub> weights;
  weigh(x, weights.data());
  float least = x[0], largest = x[0], sum_w = weights[0], sum_x = sum_w * x[0];
  for (int i = 1; i < kSub; ++i) {
    least = std::min(least, x[i]);
    largest = std::max(largest, x[i]);
    sum_w += weights[static_cast<size_t>(i)];
    sum_x += weights[static_cast<size_t>(i)] * x[i];
  }
  least = std::min(least, 0.0f);
  if (largest == least) return {0, -least};
  const float plain = static_cast<float>(search.max_level) / (largest - least);
  float scale = 1 / plain, offset = least;
  float lowest =
      error_of(x, weights.data(), fit_levels(x, weights.data(), least, plain, search.max_level), scale, offset);
  for (int step = 0; step <= search.steps; ++step) {
    // The reference measures from the best offset so far, not from the least value.
    const float inverse =
        (search.first + search.step * static_cast<float>(step) + static_cast<float>(search.max_level)) /
        (largest - offset);
    const Fit fit = fit_levels(x, weights.data(), offset, inverse, search.max_level);
    const float determinant = sum_w * fit.sum_ll - fit.sum_l * fit.sum_l;
    if (!(determinant > 0)) continue;
    float new_scale = (sum_w * fit.sum_xl - sum_x * fit.sum_l) / determinant;
    float new_offset = (fit.sum_ll * sum_x - fit.sum_l * fit.sum_xl) / determinant;
    if (new_offset > 0) {
      new_offset = 0;
      new_scale = fit.sum_xl / fit.sum_ll;
    }
    const float error = error_of(x, weights.data(), fit, new_scale, new_offset);
    if (!(error < lowest)) continue;
    lowest = error;
    scale = new_scale;
    offset = new_offset;
  }
  return {scale, -offset};
}

// Eight 6-bit scales and mins in 12 bytes; scale_and_min() of gguf_blocks.cpp reads them.
void pack_scales(const std::array<uint8_t, kSubs>& scales, const std::array<uint8_t, kSubs>& mins, uint8_t* packed) {
  for (size_t j = 0; j < 4; ++j) {
    packed[j] = static_cast<uint8_t>(scales[j] | (scales[j + 4] >> 4) << 6);
    packed[4 + j] = static_cast<uint8_t>(mins[j] | (mins[j + 4] >> 4) << 6);
    packed[8 + j] = static_cast<uint8_t>((scales[j + 4] & 0x0F) | (mins[j + 4] & 0x0F) << 4);
  }
}

// Q4_K, and Q5_K where `high` receives the fifth bits.
bool encode_scaled_subblocks(const float* values, const Search& search, uint8_t* block, uint8_t* high, uint8_t* qs) {
  std::array<ScaleAndMin, kSubs> found;
  float max_scale = 0, max_min = 0;
  for (int j = 0; j < kSubs; ++j) {
    ScaleAndMin& one = found[static_cast<size_t>(j)] = best_scale_and_min(values + j * kSub, search);
    max_scale = std::max(max_scale, one.scale);
    max_min = std::max(max_min, one.min);
  }
  const float scale_levels = max_scale > 0 ? 63.0f / max_scale : 0, min_levels = max_min > 0 ? 63.0f / max_min : 0;
  std::array<uint8_t, kSubs> scales, mins;
  for (size_t j = 0; j < kSubs; ++j) {
    scales[j] = static_cast<uint8_t>(nearest(scale_levels * found[j].scale, 0, 63));
    mins[j] = static_cast<uint8_t>(nearest(min_levels * found[j].min, 0, 63));
  }
  const float d = store_f16(block, max_scale / 63.0f), dmin = store_f16(block + 2, max_min / 63.0f);
  if (!std::isfinite(d) || !std::isfinite(dmin)) return false;
  pack_scales(scales, mins, block + 4);
  if (high != nullptr) std::memset(high, 0, kSub);
  for (int j = 0; j < kSubs; ++j) {
    const float scale = d * static_cast<float>(scales[static_cast<size_t>(j)]);
    const float min = dmin * static_cast<float>(mins[static_cast<size_t>(j)]);
    uint8_t* bytes = qs + j / 2 * kSub;
    for (int l = 0; l < kSub; ++l) {
      const float x = values[j * kSub + l];
      const int level = scale == 0 ? 0 : nearest((x + min) / scale, 0, search.max_level);
      bytes[l] = static_cast<uint8_t>(j % 2 == 0 ? level & 0x0F : bytes[l] | (level & 0x0F) << 4);
      if (high != nullptr) high[l] = static_cast<uint8_t>(high[l] | (level >> 4) << j);
    }
  }
  return true;
}

// The scale of levels -32..31 for 16 values, weighted with their squares.
float best_symmetric_scale(const float* x) {
  constexpr float kNothing = 1e-15f;
  constexpr int kLevels = 32;
  float extreme = 0;
  for (int i = 0; i < kSmall; ++i) {
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  }
  if (std::fabs(extreme) < kNothing) return 0;
  struct Sums {
    float xl = 0, ll = 0;
  };
  const auto sums_for = [&](float inverse) {
    Sums sums;
    for (int i = 0; i < kSmall; ++i) {
      const float l = static_cast<float>(nearest(inverse * x[i], -kLevels, kLevels - 1)), w = x[i] * x[i];
      sums.xl += w * x[i] * l;
      sums.ll += w * l * l;
    }
    return sums;
  };
  const Sums plain = sums_for(-static_cast<float>(kLevels) / extreme);
  float scale = plain.ll > 0 ? plain.xl / plain.ll : 0, best = scale * plain.xl;
  for (int step = -9; step <= 9; ++step) {
    if (step == 0) continue;
    const Sums sums = sums_for(-(static_cast<float>(kLevels) + 0.1f * static_cast<float>(step)) / extreme);
    if (!(sums.ll > 0) || !(sums.xl * sums.xl > best * sums.ll)) continue;
    scale = sums.xl / sums.ll;
    best = scale * sums.xl;
  }
  return scale;
}

}  // namespace

bool encode_q4_k(const float* values, uint8_t* block) {
  return encode_scaled_subblocks(values, kFourBits, block, nullptr, block + 16);
}

bool encode_q5_k(const float* values, uint8_t* block) {
  return encode_scaled_subblocks(values, kFiveBits, block, block + 16, block + 48);
}

bool encode_q6_k(const float* values, uint8_t* block) {
  constexpr float kNothing = 1e-15f;
  uint8_t *ql = block, *qh = block + 128, *packed = block + 192;
  std::memset(block, 0, 210);
  std::array<float, kSmalls> scales;
  float extreme = 0;
  for (int j = 0; j < kSmalls; ++j) {
    const float scale = scales[static_cast<size_t>(j)] = best_symmetric_scale(values + j * kSmall);
    if (!std::isfinite(scale)) return false;  // the squares overflow
    if (std::fabs(scale) > std::fabs(extreme)) extreme = scale;
  }
  if (std::fabs(extreme) < kNothing) return true;
  const float inverse = -128.0f / extreme;
  const float d = store_f16(block + 208, 1 / inverse);
  if (!std::isfinite(d)) return false;
  for (int j = 0; j < kSmalls; ++j) {
    const int scale = nearest(inverse * scales[static_cast<size_t>(j)], -128, 127);
    packed[j] = static_cast<uint8_t>(static_cast<int8_t>(scale));
    const float step = d * static_cast<float>(scale);
    for (int i = 0; i < kSmall; ++i) {
      const int e = j * kSmall + i, half = e / 128, r = e % 128;
      const int level = step == 0 ? 0 : nearest(values[e] / step, -32, 31) + 32;  // of no matter without a scale
      ql[half * 64 + r % 64] |= static_cast<uint8_t>((level & 0x0F) << (r / 64 * 4));
      qh[half * 32 + r % 32] |= static_cast<uint8_t>((level >> 4) << (r / 32 * 2));
    }
  }
  return true;
}

}  // namespace sensorium::io
