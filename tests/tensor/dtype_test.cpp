#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.h"

namespace sensorium {
namespace {

// The value of a pattern with `exponent_bits` and `mantissa_bits`, from the definition of IEEE 754.
double value_of(uint32_t bits, int exponent_bits, int mantissa_bits) {
  const uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
  const int exponent = static_cast<int>(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double sign = (bits >> (exponent_bits + mantissa_bits)) != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return mantissa != 0 ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1u << mantissa_bits), exponent - bias - mantissa_bits);
}

template <typename T>
struct Layout;
template <>
struct Layout<f16> {
  static constexpr int exponent = 5, mantissa = 10;
};
template <>
struct Layout<bf16> {
  static constexpr int exponent = 8, mantissa = 7;
};

template <typename T>
class NarrowFloat : public testing::Test {
 protected:
  static double exact(uint32_t bits) { return value_of(bits, Layout<T>::exponent, Layout<T>::mantissa); }
  static T pattern(uint32_t bits) {
    T value;
    value.bits = static_cast<uint16_t>(bits);
    return value;
  }
};
using NarrowTypes = testing::Types<f16, bf16>;
TYPED_TEST_SUITE(NarrowFloat, NarrowTypes);

TYPED_TEST(NarrowFloat, EveryPatternHasItsValueAndComesBack) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto wide = static_cast<float>(this->pattern(bits));
    const double exact = this->exact(bits);
    if (std::isnan(exact)) {
      ASSERT_TRUE(std::isnan(wide)) << bits;
      ASSERT_TRUE(std::isnan(static_cast<float>(TypeParam(wide)))) << bits;
    } else {
      ASSERT_EQ(static_cast<double>(wide), exact) << bits;
      ASSERT_EQ(TypeParam(wide).bits, bits);
    }
  }
}

// Between every two neighbours: below the middle rounds down, above it up, the middle itself to the even one.
TYPED_TEST(NarrowFloat, RoundsToNearestEven) {
  for (uint32_t bits = 0; bits < 0x7FFF; ++bits) {
    const double low = this->exact(bits);
    // The largest finite value rounds to infinity from half a step beyond it.
    const double high = std::isinf(this->exact(bits + 1)) ? 2 * low - this->exact(bits - 1) : this->exact(bits + 1);
    if (!std::isfinite(low) || !std::isfinite(high)) continue;
    const auto middle = static_cast<float>((low + high) / 2);
    for (const float sign : {1.0f, -1.0f}) {
      const uint32_t base = sign < 0 ? bits | 0x8000 : bits;
      ASSERT_EQ(TypeParam(sign * middle).bits, base + (bits & 1)) << bits;
      ASSERT_EQ(TypeParam(sign * std::nextafter(middle, 0.0f)).bits, base) << bits;
      ASSERT_EQ(TypeParam(sign * std::nextafter(middle, std::numeric_limits<float>::infinity())).bits, base + 1)
          << bits;
    }
  }
}

TYPED_TEST(NarrowFloat, SpecialValues) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(static_cast<float>(TypeParam(infinity)), infinity);
  EXPECT_EQ(static_cast<float>(TypeParam(-infinity)), -infinity);
  EXPECT_EQ(static_cast<float>(TypeParam(std::numeric_limits<float>::max())), infinity);
  EXPECT_TRUE(std::isnan(static_cast<float>(TypeParam(std::nanf("")))));
  // A NaN whose payload is only in the low bits must not round to infinity.
  EXPECT_TRUE(std::isnan(static_cast<float>(TypeParam(std::bit_cast<float>(0x7F800001u)))));
  EXPECT_EQ(TypeParam(-0.0f).bits, 0x8000);
  EXPECT_EQ(TypeParam(1e-45f).bits, 0);
}

TEST(DType, SizesAndNames) {
  EXPECT_EQ(size_of(DType::f32), 4u);
  EXPECT_EQ(size_of(DType::bf16), 2u);
  EXPECT_EQ(size_of(DType::f16), 2u);
  EXPECT_EQ(size_of(DType::i8), 1u);
  EXPECT_EQ(size_of(DType::u8), 1u);
  EXPECT_EQ(size_of(DType::i32), 4u);
  EXPECT_EQ(size_of(DType::i64), 8u);
  EXPECT_EQ(name_of(DType::bf16), "bf16");
  EXPECT_TRUE(is_float(DType::f16));
  EXPECT_FALSE(is_float(DType::i32));
}

}  // namespace
}  // namespace sensorium
