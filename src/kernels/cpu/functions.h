// Functions of one variable (kernels::Unary) and their slopes, on vectors.
#pragma once

#include "kernels/cpu/math.h"
#include "kernels/elementwise.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr float kInverseSqrt2Pi = 0.39894228040143268f;  // 1 / sqrt(2 pi)
constexpr float kGeluScale = 0.79788456080286536f;       // sqrt(2 / pi): GELU's tanh form (Hendrycks and Gimpel 2016)
constexpr float kGeluCubic = 0.044715f;
constexpr float kQuickGelu = 1.702f;

// value(x) and slope(x) of each function.
struct Relu {
  static SENSORIUM_VECTOR Floats value(Floats x) { return maximum(Floats{}, x); }  // NaN passes
  static SENSORIUM_VECTOR Floats slope(Floats x) { return x > 0.0f ? broadcast(1.0f) : Floats{}; }
};
struct GeluErf {
  static SENSORIUM_VECTOR Floats value(Floats x) {
    Floats density;
    return x * normal_cdf(x, density);
  }
  static SENSORIUM_VECTOR Floats slope(Floats x) {
    Floats density;
    const Floats cdf = normal_cdf(x, density);
    return cdf + x * kInverseSqrt2Pi * density;
  }
};
struct GeluTanh {
  // 0.5 (1 + tanh(u)) is logistic(2u).
  static SENSORIUM_VECTOR Floats value(Floats x) {
    return x * logistic(2.0f * kGeluScale * (x + kGeluCubic * x * x * x));
  }
  static SENSORIUM_VECTOR Floats slope(Floats x) {
    const Floats s = logistic(2.0f * kGeluScale * (x + kGeluCubic * x * x * x));
    return s + x * s * (1.0f - s) * (2.0f * kGeluScale) * (1.0f + 3.0f * kGeluCubic * x * x);
  }
};
struct QuickGelu {
  static SENSORIUM_VECTOR Floats value(Floats x) { return x * logistic(kQuickGelu * x); }
  static SENSORIUM_VECTOR Floats slope(Floats x) {
    const Floats s = logistic(kQuickGelu * x);
    return s + kQuickGelu * x * s * (1.0f - s);
  }
};
struct Silu {
  static SENSORIUM_VECTOR Floats value(Floats x) { return x * logistic(x); }
  static SENSORIUM_VECTOR Floats slope(Floats x) {
    const Floats s = logistic(x);
    return s + x * s * (1.0f - s);
  }
};
struct Sigmoid {
  static SENSORIUM_VECTOR Floats value(Floats x) { return logistic(x); }
  static SENSORIUM_VECTOR Floats slope(Floats x) {
    const Floats s = logistic(x);
    return s * (1.0f - s);
  }
};
struct Tanh {
  static SENSORIUM_VECTOR Floats value(Floats x) { return tanh(x); }
  static SENSORIUM_VECTOR Floats slope(Floats x) {
    const Floats t = tanh(x);
    return 1.0f - t * t;
  }
};
struct Exp {
  static SENSORIUM_VECTOR Floats value(Floats x) { return exp(x); }
  static SENSORIUM_VECTOR Floats slope(Floats x) { return exp(x); }
};
struct Log {
  static SENSORIUM_VECTOR Floats value(Floats x) { return log(x); }
  static SENSORIUM_VECTOR Floats slope(Floats x) { return 1.0f / x; }
};
struct Square {
  static SENSORIUM_VECTOR Floats value(Floats x) { return x * x; }
  static SENSORIUM_VECTOR Floats slope(Floats x) { return x + x; }
};

// fn(the function's struct): one loop without branches per function.
template <typename Fn>
void with_function(Unary function, Fn&& fn) {
  switch (function) {
    case Unary::relu:
      return fn(Relu{});
    case Unary::gelu_erf:
      return fn(GeluErf{});
    case Unary::gelu_tanh:
      return fn(GeluTanh{});
    case Unary::quick_gelu:
      return fn(QuickGelu{});
    case Unary::silu:
      return fn(Silu{});
    case Unary::sigmoid:
      return fn(Sigmoid{});
    case Unary::tanh:
      return fn(Tanh{});
    case Unary::exp:
      return fn(Exp{});
    case Unary::log:
      return fn(Log{});
    case Unary::square:
      return fn(Square{});
  }
}

}  // namespace
SENSORIUM_ISA_END
