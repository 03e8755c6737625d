#include "data/world/shading.h"

#include <algorithm>
#include <cmath>

namespace sensorium::data {
namespace {

// A well-mixed hash of a lattice point (the finaliser of MurmurHash3, Appleby, public domain).
uint32_t lattice_hash(int32_t x, int32_t y, uint32_t seed) {
  uint32_t h = static_cast<uint32_t>(x) * 0x9E3779B1u + static_cast<uint32_t>(y) * 0x85EBCA77u + seed * 0xC2B2AE3Du;
  h ^= h >> 16;
  h *= 0x85EBCA6Bu;
  h ^= h >> 13;
  h *= 0xC2B2AE35u;
  return h ^ (h >> 16);
}
float lattice_value(int32_t x, int32_t y, uint32_t seed) {
  return static_cast<float>(lattice_hash(x, y, seed) >> 8) * 0x1.0p-24f;
}

float smooth_step(float t) { return t * t * (3 - 2 * t); }

// Adds weight x value noise of the given period to a row: lattice values, interpolated down once per column of the
// lattice and across once per pixel.
void add_value_noise(int y, int x0, float period, uint32_t seed, float weight, std::span<float> row) {
  const float v = static_cast<float>(y) / period;
  const int32_t lattice_y = static_cast<int32_t>(std::floor(v));
  const float down = smooth_step(v - static_cast<float>(lattice_y));
  const auto column = [&](int32_t i) {
    const float above = lattice_value(i, lattice_y, seed), below = lattice_value(i, lattice_y + 1, seed);
    return above + down * (below - above);
  };
  int32_t at = static_cast<int32_t>(std::floor(static_cast<float>(x0) / period));
  float left = column(at), right = column(at + 1);
  for (size_t i = 0; i < row.size(); ++i) {
    const float u = static_cast<float>(x0 + static_cast<int>(i)) / period - static_cast<float>(at);
    float across = u;
    if (u >= 1) {
      ++at;
      left = right;
      right = column(at + 1);
      across = std::min(1.0f, u - 1);
    }
    row[i] += weight * (left + smooth_step(across) * (right - left));
  }
}

float fraction(float value) { return value - std::floor(value); }

}  // namespace

Shader::Shader(const Paint& paint, Vec2 low, Vec2 high) : paint_(paint), low_(low), high_(high) {
  // Periods below two pixels alias, and a period of zero would not end.
  paint_.period = std::max(2.0f, paint_.period);
}

void Shader::mix_row(int y, int x0, size_t count) const {
  mix_.assign(count, 0.0f);
  const float cosine = std::cos(paint_.angle), sine = std::sin(paint_.angle);
  const Vec2 center{0.5f * (low_.x + high_.x), 0.5f * (low_.y + high_.y)};
  const Vec2 half{std::max(0.5f, 0.5f * (high_.x - low_.x)), std::max(0.5f, 0.5f * (high_.y - low_.y))};
  const float dy = static_cast<float>(y) + 0.5f - center.y;
  const auto dx = [&](size_t i) { return static_cast<float>(x0) + static_cast<float>(i) + 0.5f - center.x; };
  switch (paint_.fill) {
    case Fill::flat:
      break;
    case Fill::linear: {
      const float reach = std::abs(cosine) * half.x + std::abs(sine) * half.y;
      for (size_t i = 0; i < count; ++i) {
        mix_[i] = std::clamp(0.5f + 0.5f * (dx(i) * cosine + dy * sine) / reach, 0.0f, 1.0f);
      }
      break;
    }
    case Fill::radial: {
      const float v = dy / half.y - paint_.focus.y;
      const float reach = 1 + std::sqrt(paint_.focus.x * paint_.focus.x + paint_.focus.y * paint_.focus.y);
      for (size_t i = 0; i < count; ++i) {
        const float u = dx(i) / half.x - paint_.focus.x;
        mix_[i] = std::min(1.0f, std::sqrt(u * u + v * v) / reach);
      }
      break;
    }
    case Fill::stripes:
      for (size_t i = 0; i < count; ++i) {
        // Distance to the nearest edge of a stripe, in pixels, softens it.
        const float phase = fraction((dx(i) * cosine + dy * sine) / paint_.period);
        mix_[i] = std::clamp((0.25f - std::abs(phase - 0.5f)) * paint_.period + 0.5f, 0.0f, 1.0f);
      }
      break;
    case Fill::checks:
      for (size_t i = 0; i < count; ++i) {
        const float u = std::floor((dx(i) * cosine + dy * sine) / paint_.period);
        const float v = std::floor((dy * cosine - dx(i) * sine) / paint_.period);
        mix_[i] = std::abs(std::fmod(u + v, 2.0f)) < 0.5f ? 0.0f : 1.0f;
      }
      break;
    case Fill::clouds:
      add_value_noise(y, x0, paint_.period, paint_.seed, 0.7f, mix_);
      add_value_noise(y, x0, std::max(2.0f, 0.37f * paint_.period), paint_.seed + 1, 0.3f, mix_);
      break;
    case Fill::bricks: {
      const float course = std::floor(static_cast<float>(y) / paint_.period);
      const float v = fraction(static_cast<float>(y) / paint_.period) * paint_.period;
      const float offset = std::fmod(std::abs(course), 2.0f) * paint_.period;
      for (size_t i = 0; i < count; ++i) {
        const float u = (static_cast<float>(x0) + static_cast<float>(i) + offset) / (2 * paint_.period);
        const bool joint = v < 1.0f || fraction(u) * 2 * paint_.period < 1.0f;
        mix_[i] = joint ? 1.0f
                        : 0.25f * lattice_value(static_cast<int32_t>(std::floor(u)), static_cast<int32_t>(course),
                                                paint_.seed);
      }
      break;
    }
  }
}

void Shader::blend_row(int y, int x0, std::span<const uint8_t> coverage, uint8_t* pixels) const {
  const float opacity = std::clamp(paint_.opacity, 0.0f, 1.0f) / 255.0f;
  const bool varies = paint_.fill != Fill::flat;
  if (varies) mix_row(y, x0, coverage.size());
  const float first[3] = {paint_.color.r, paint_.color.g, paint_.color.b};
  const float change[3] = {paint_.second.r - first[0], paint_.second.g - first[1], paint_.second.b - first[2]};
  for (size_t i = 0; i < coverage.size(); ++i, pixels += 3) {
    if (coverage[i] == 0) continue;
    const float cover = static_cast<float>(coverage[i]) * opacity;
    const float t = varies ? mix_[i] : 0.0f;
    float grain = 0.5f;
    if (paint_.grain > 0) {
      const uint32_t h = lattice_hash(x0 + static_cast<int>(i), y, paint_.seed ^ 0x5bd1e995u);
      grain += paint_.grain * (static_cast<float>((h & 0xFFFF) + (h >> 16)) * (1.0f / 65536) - 1.0f);
    }
    for (int c = 0; c < 3; ++c) {
      const float old = pixels[c];
      const float value = old + cover * (first[c] + t * change[c] + grain - 0.5f - old);
      pixels[c] = static_cast<uint8_t>(std::clamp(value, 0.0f, 255.0f) + 0.4999f);
    }
  }
}

}  // namespace sensorium::data
