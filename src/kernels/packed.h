// Weights of linear layers in the order in which the kernels read them, in memory and in files alike: a mapped file is the
// only copy. The layout is one for all machines, made for 512-bit byte products.
//
// A matrix w[N, K] is cut into panels of 64 rows; missing rows of the last panel are zeros. A panel holds its groups along K, the
// last of which may be shorter. A group holds the scales of its rows (f16 [64]; none for bf16), then steps along K of one
// 32-bit word per row:
//     bf16  2 values per word, 64 words a step
//     q8    4 values per word as unsigned bytes, value + 128; 64 words a step
//     q4    4 values per byte quadruple as unsigned nibbles, value + 8; 32 words a step: word j of the first 16 holds row j in
//           its low nibbles and row 16 + j in its high ones, the other 16 words likewise rows 32 + j and 48 + j
// K is filled up to whole steps with zeros. A weight is value * scale of its row and group.
//
// Products with q8 and q4 quantise the activations: symmetric 8 bits, one scale per row and group; sums of a group are exact
// integers. The scale of a group that holds NaN or infinity is NaN, and so are the results that it takes part in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernels/elementwise.h"
#include "kernels/view.h"

namespace sensorium::kernels {

enum class PackedType : uint8_t { bf16, q8, q4 };

inline constexpr int64_t kPanelRows = 64;

struct PackedLayout {
  PackedType type = PackedType::bf16;
  int64_t n = 0, k = 0;  // of w[N, K]
  int64_t group = 0;     // values along K that share a scale: a multiple of 32; 0 for bf16

  int64_t panels() const { return (n + kPanelRows - 1) / kPanelRows; }
  int64_t step_values() const { return type == PackedType::bf16 ? 2 : 4; }
  int64_t step_bytes() const { return type == PackedType::q4 ? 128 : 256; }
  int64_t steps() const { return (k + step_values() - 1) / step_values(); }
  int64_t groups() const { return group == 0 ? 1 : (k + group - 1) / group; }
  int64_t scale_bytes() const { return group == 0 ? 0 : kPanelRows * 2; }  // of a group
  // Of a full group, scales included.
  int64_t group_bytes() const { return scale_bytes() + (group == 0 ? steps() : group / step_values()) * step_bytes(); }
  int64_t panel_bytes() const { return groups() * scale_bytes() + steps() * step_bytes(); }
  int64_t bytes() const { return panels() * panel_bytes(); }
  friend bool operator==(const PackedLayout&, const PackedLayout&) = default;
};

// Throws Error: shape (negative sizes, more than 2^48 bytes), usage (a group that the type does not have).
void check_layout(const PackedLayout& layout);

// "bf16", "q8/128", "q4/64": the type and its group; and back, throws Error(usage) with what is known.
std::string name_of(const PackedLayout& layout);
PackedLayout parse_packed_type(const std::string& name);
// All types with all their groups; n and k are 0.
std::vector<PackedLayout> packed_types();

struct PackedWeightView {
  PackedLayout layout;
  const std::byte* data = nullptr;  // layout.bytes(); best 64-byte aligned
};

// Rounds w (float, row-major with `row_stride` elements) into `out`, layout.bytes(). Scales: q8 the largest magnitude / 127; q4
// the one of several tried that has the smallest squared error. The bytes are the same on every machine and for any number
// of threads. Values that are not finite become zeros of a group whose scale is NaN.
void pack_weight(ConstView w, int64_t row_stride, const PackedLayout& layout, std::byte* out);

// A matrix that consists of integers with scales already: its weights stay exactly what they are. `read` is called from several
// threads for rows 0..n-1, with space for k integers (q8: any; q4: -8..7) and for a scale per group. Not for bf16.
using ReadIntegers = std::function<void(int64_t row, int8_t* values, f16* scales)>;
void pack_integers(const ReadIntegers& read, const PackedLayout& layout, std::byte* out);

// y_TN = activation(x_TK w_NK^T + bias_N), with the arithmetic described above; bf16 weights: x is rounded to bf16, sums are f32,
// and so is what the activation takes. The result does not depend on the number of threads, nor a row's on the other rows.
struct PackedLinearArgs {
  int64_t m = 0;
  ConstView x;           // f32 or bf16
  int64_t x_stride = 0;  // elements
  PackedWeightView w;
  const float* bias = nullptr;  // N, or none
  std::optional<Unary> activation;
  View y;                // f32 or bf16
  int64_t y_stride = 0;  // elements
};

// out[i] = the row `rows[i]` of w (-1: zeros), or row i if there is no `rows`.
struct UnpackRowsArgs {
  PackedWeightView w;
  const int32_t* rows = nullptr;
  int64_t count = 0;
  View out;  // f32 or bf16 [count, K]
};

}  // namespace sensorium::kernels
