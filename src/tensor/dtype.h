// Element types. bf16 and f16 are storage formats: arithmetic happens in f32.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace sensorium {

enum class DType : uint8_t { f32, bf16, f16, i8, u8, i32, i64 };

// 16-bit brain float: the upper half of an f32.
struct bf16 {
  uint16_t bits = 0;
  bf16() = default;
  // Round to nearest even; NaN stays NaN (quiet).
  explicit bf16(float value) {
    const uint32_t raw = std::bit_cast<uint32_t>(value);
    const uint32_t rounded = raw + 0x7FFFu + ((raw >> 16) & 1u);
    bits = static_cast<uint16_t>(((raw & 0x7FFFFFFFu) > 0x7F800000u ? (raw | 0x00400000u) : rounded) >> 16);
  }
  explicit operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

// IEEE 754 binary16.
struct f16 {
  uint16_t bits = 0;
  f16() = default;
  explicit f16(float value);
  explicit operator float() const;
};

constexpr size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::bf16:
    case DType::f16:
      return 2;
    case DType::i8:
    case DType::u8:
      return 1;
    case DType::i64:
      return 8;
  }
  return 0;
}

constexpr bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16; }

// "f32", "bf16", ...
std::string_view name_of(DType dtype);

template <typename T>
struct dtype_of;
template <>
struct dtype_of<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct dtype_of<bf16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct dtype_of<f16> {
  static constexpr DType value = DType::f16;
};
template <>
struct dtype_of<int8_t> {
  static constexpr DType value = DType::i8;
};
template <>
struct dtype_of<uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct dtype_of<int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct dtype_of<int64_t> {
  static constexpr DType value = DType::i64;
};

}  // namespace sensorium
