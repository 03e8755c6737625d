#include <cmath>

#include "kernels/ref/ref.h"

namespace sensorium::kernels::ref {
namespace {

constexpr double kInverseSqrt2 = 0.70710678118654752;    // 1 / sqrt(2)
constexpr double kInverseSqrt2Pi = 0.39894228040143268;  // 1 / sqrt(2 pi)
constexpr double kGeluScale = 0.79788456080286536;       // sqrt(2 / pi): GELU's tanh form (Hendrycks and Gimpel 2016)
constexpr double kGeluCubic = 0.044715;
constexpr double kQuickGelu = 1.702;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

double unary_value(Unary function, double x) {
  switch (function) {
    case Unary::relu:
      return x < 0 ? 0 : x;  // NaN passes
    case Unary::gelu_erf:
      return 0.5 * x * std::erfc(-x * kInverseSqrt2);
    case Unary::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(kGeluScale * (x + kGeluCubic * x * x * x)));
    case Unary::quick_gelu:
      return x * sigmoid(kQuickGelu * x);
    case Unary::silu:
      return x * sigmoid(x);
    case Unary::sigmoid:
      return sigmoid(x);
    case Unary::tanh:
      return std::tanh(x);
    case Unary::exp:
      return std::exp(x);
    case Unary::log:
      return std::log(x);
    case Unary::square:
      return x * x;
  }
  return x;
}

namespace {

double slope_of(Unary function, double x) {
  switch (function) {
    case Unary::relu:
      return x > 0 ? 1 : 0;
    case Unary::gelu_erf:
      return 0.5 * std::erfc(-x * kInverseSqrt2) + x * kInverseSqrt2Pi * std::exp(-0.5 * x * x);
    case Unary::gelu_tanh: {
      const double t = std::tanh(kGeluScale * (x + kGeluCubic * x * x * x));
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * kGeluScale * (1 + 3 * kGeluCubic * x * x);
    }
    case Unary::quick_gelu: {
      const double s = sigmoid(kQuickGelu * x);
      return s * (1 + kQuickGelu * x * (1 - s));
    }
    case Unary::silu: {
      const double s = sigmoid(x);
      return s * (1 + x * (1 - s));
    }
    case Unary::sigmoid: {
      const double s = sigmoid(x);
      return s * (1 - s);
    }
    case Unary::tanh: {
      const double t = std::tanh(x);
      return 1 - t * t;
    }
    case Unary::exp:
      return std::exp(x);
    case Unary::log:
      return 1 / x;
    case Unary::square:
      return 2 * x;
  }
  return 1;
}

}  // namespace

void unary(const UnaryArgs& args) {
  for (int64_t i = 0; i < args.count; ++i) set(args.y, i, unary_value(args.function, get(args.x, i)));
}

void unary_backward(const UnaryBackwardArgs& args) {
  for (int64_t i = 0; i < args.count; ++i) {
    set(args.grad_x, i, get(args.grad_y, i) * slope_of(args.function, get(args.x, i)));
  }
}

void binary(const BinaryArgs& args) {
  for (int64_t i = 0; i < args.count; ++i) {
    const int64_t j = args.b_period != 0 ? i % args.b_period : args.b_row != 0 ? i / args.b_row : i;
    const double a = get(args.a, i), b = get(args.b, j);
    set(args.y, i, args.function == Binary::add ? a * args.scale_a + b * args.scale_b : a * b);
  }
}

void swiglu(const SwigluArgs& args) {
  for (int64_t r = 0; r < args.rows; ++r) {
    for (int64_t c = 0; c < args.width; ++c) {
      const double gate = get(args.x, r * 2 * args.width + c), up = get(args.x, (r * 2 + 1) * args.width + c);
      set(args.y, r * args.width + c, unary_value(Unary::silu, gate) * up);
    }
  }
}

void swiglu_backward(const SwigluBackwardArgs& args) {
  for (int64_t r = 0; r < args.rows; ++r) {
    for (int64_t c = 0; c < args.width; ++c) {
      const int64_t gate_at = r * 2 * args.width + c, up_at = gate_at + args.width;
      const double gate = get(args.x, gate_at), up = get(args.x, up_at), dy = get(args.grad_y, r * args.width + c);
      set(args.grad_x, gate_at, dy * up * slope_of(Unary::silu, gate));
      set(args.grad_x, up_at, dy * unary_value(Unary::silu, gate));
    }
  }
}

void cast(const CastArgs& args) {
  for (int64_t i = 0; i < args.count; ++i) set(args.y, i, get(args.x, i));
}

}  // namespace sensorium::kernels::ref
