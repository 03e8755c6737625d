// Elementwise functions. Views are f32 or bf16; arithmetic is f32.
#pragma once

#include <cstdint>

#include "kernels/view.h"

namespace sensorium::kernels {

enum class Unary : uint8_t { relu, gelu_erf, gelu_tanh, quick_gelu, silu, sigmoid, tanh, exp, log, square };
struct UnaryArgs {
  Unary function = Unary::relu;
  int64_t count = 0;
  ConstView x;
  View y;  // may be x
};
void unary(const UnaryArgs& args);

struct UnaryBackwardArgs {
  Unary function = Unary::relu;
  int64_t count = 0;
  ConstView x, grad_y;
  View grad_x;  // written
};
void unary_backward(const UnaryBackwardArgs& args);

// y = a * scale_a + b * scale_b (add), or a * b (multiply). b has `count` elements, or `b_period` elements that repeat
// (count a multiple of b_period): a row added to every row; or one element per row of b_row elements (scale rows).
enum class Binary : uint8_t { add, multiply };
struct BinaryArgs {
  Binary function = Binary::add;
  int64_t count = 0;
  ConstView a, b;
  int64_t b_period = 0;                  // 0: none
  int64_t b_row = 0;                     // 0: none; b then has count / b_row elements
  float scale_a = 1.0f, scale_b = 1.0f;  // add only
  View y;                                // may be a
};
void binary(const BinaryArgs& args);

// SwiGLU (Shazeer 2020): x is rows x 2F, gate first; y = silu(gate) * up is rows x F.
struct SwigluArgs {
  int64_t rows = 0, width = 0;  // F
  ConstView x;
  View y;
};
void swiglu(const SwigluArgs& args);
struct SwigluBackwardArgs {
  int64_t rows = 0, width = 0;
  ConstView x, grad_y;
  View grad_x;  // rows x 2F, written
};
void swiglu_backward(const SwigluBackwardArgs& args);

// Any of f32, bf16, f16 to any of them.
struct CastArgs {
  int64_t count = 0;
  ConstView x;
  View y;
};
void cast(const CastArgs& args);

}  // namespace sensorium::kernels
