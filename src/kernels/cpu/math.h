// Elementary functions on vectors. The polynomials are weighted least-squares fits at Chebyshev points, reweighted until the
// error is level (the minimax condition); stated errors include the rounding of f32 and hold over the whole range. NaN stays
// NaN.
#pragma once

#include "kernels/cpu/simd.h"

SENSORIUM_ISA_BEGIN
namespace {

// Horner's rule, coefficients from the constant term up.
template <typename... Rest>
SENSORIUM_VECTOR Floats polynomial(Floats x, float c0, Rest... rest) {
  if constexpr (sizeof...(rest) == 0) {
    return broadcast(c0);
  } else {
    return polynomial(x, rest...) * x + c0;
  }
}

// e^x, relative error below 2e-7; infinity above the range. Below 2^-126 the result is 0, on AVX-512 subnormal.
// x = n ln 2 + r with |r| <= ln 2 / 2, e^r by a polynomial, times 2^n.
SENSORIUM_VECTOR Floats exp(Floats x) {
#if defined(__AVX512F__)
  const Floats c = minimum(broadcast(89.0f), maximum(broadcast(-104.0f), x));
  const Floats n =
      (Floats)_mm512_roundscale_ps((__m512)(c * 1.44269504f), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
  constexpr float kLow = -87.33f, kHigh = 88.72283f;
  constexpr float kRound = 0x1.8p23f;  // adding it leaves an integer in the low bits
  const Floats c = minimum(broadcast(kHigh), maximum(broadcast(kLow), x));
  const Floats n = (c * 1.44269504f + kRound) - kRound;
#endif
  Floats r = c - n * 0.693359375f;  // ln 2 in two parts; the product with the first is exact
  r = r - n * -2.12194440e-4f;
  const Floats q = polynomial(r, 0.49999994f, 0.16666521f, 0.041668389f, 0.0083687454f, 0.0013814539f);
  const Floats p = (q * r) * r + r + 1.0f;
#if defined(__AVX512F__)
  return (Floats)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
  const Floats result = (Floats)((Ints)p + (__builtin_convertvector(n, Ints) << 23));
  const Floats high = x > kHigh ? broadcast(__builtin_inff()) : result;
  return x < kLow ? Floats{} : x == x ? high : x;
#endif
}

// Relative error below 4e-7.
SENSORIUM_VECTOR Floats logistic(Floats x) { return 1.0f / (1.0f + exp(-x)); }

// Relative error below 4e-7.
SENSORIUM_VECTOR Floats tanh(Floats x) {
  const Floats a = (Floats)((Words)x & 0x7FFFFFFFu), y = x * x;
  const Floats near = x + x * y * polynomial(y, -0.33333278f, 0.13331331f, -0.053730007f, 0.020606181f, -0.0056669810f);
  const Floats far = 1.0f - 2.0f / (exp(a + a) + 1.0f);
  const Floats signed_far = (Floats)((Words)far | ((Words)x & 0x80000000u));
  return a < 0.625f ? near : signed_far;
}

// The distribution function of the standard normal; `density` receives e^(-x^2 / 2). Relative error of the smaller of it and
// its complement below 3e-7 (1 + x^2): a polynomial of 1 / (1 + 0.35 |x|) approximates the tail over the density.
SENSORIUM_VECTOR Floats normal_cdf(Floats x, Floats& density) {
  const Floats a = (Floats)((Words)x & 0x7FFFFFFFu);
  density = exp(-0.5f * x * x);
  const Floats t = 1.0f / (1.0f + 0.35f * a);
  const Floats tail = density * t *
                      polynomial(t, 0.13962141f, 0.13986188f, 0.11983279f, 0.10550834f, -0.023110684f, 0.15917546f,
                                 -0.25571543f, 0.14397229f, -0.029146055f);
  return x < 0.0f ? tail : 1.0f - tail;
}

// Natural logarithm, relative error below 2e-7 (near 1 too); -infinity at 0, NaN below.
// x = 2^k m with m in [sqrt(1/2), sqrt(2)), ln m by a polynomial of m - 1.
SENSORIUM_VECTOR Floats log(Floats x) {
  constexpr int32_t kRootHalf = 0x3F3504F3;
  const Floats tiny = x < 0x1.0p-126f ? x * 0x1.0p24f : x;
  const Ints shifted = (Ints)tiny - kRootHalf;
  const Floats k = __builtin_convertvector(shifted >> 23, Floats) - (x < 0x1.0p-126f ? broadcast(24.0f) : Floats{});
  const Floats f = (Floats)((shifted & 0x7FFFFF) + kRootHalf) - 1.0f;
  const Floats p = polynomial(f, 0.33333331f, -0.25000823f, 0.20001227f, -0.16623357f, 0.14201763f, -0.13160199f,
                              0.12761545f, -0.076344147f);
  const Floats small = f * f * (f * p - 0.5f) + k * -2.12194440e-4f;
  const Floats result = k * 0.693359375f + (f + small);
  const Floats edge = x == 0.0f ? broadcast(-__builtin_inff()) : broadcast(__builtin_nanf(""));
  return x > 0.0f ? (x < __builtin_inff() ? result : x) : edge;
}

}  // namespace
SENSORIUM_ISA_END
