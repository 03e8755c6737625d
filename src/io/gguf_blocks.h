// GGUF's block types to f32 and back, in plain loops: the oracle for fast kernels, and what a checkpoint is converted
// with. Bit for bit as gguf-py's dequantize and quantize (the reference in Python, itself equal to ggml's
// ggml-quants.c; of the K types it makes none, there ggml is the reference): the same operations in the same order, each
// rounded to f32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "io/gguf_types.h"

namespace sensorium::io {

// Whole blocks (or plain float elements) to f32. Throws Error: shape if the sizes do not fit together, unsupported for
// an integer type.
void dequantize(GgufType type, std::span<const std::byte> blocks, std::span<float> values);

// Whether the values of a block are integers of 8 bits times one scale: Q4_0, Q5_0, Q8_0.
bool has_integers(GgufType type);
// The integers and scales of whole blocks of such a type. Throws Error: shape, unsupported.
void read_integers(GgufType type, std::span<const std::byte> blocks, std::span<int8_t> values, std::span<f16> scales);

// Whether values are levels 0..15 times a scale, and an offset, per 32: Q4_1, Q4_K.
bool has_levels(GgufType type);
// Whole blocks of such a type as value = scale x integer + offset, the integers -8..7; the scales of Q4_K are rounded to f16.
// Throws Error: shape, unsupported.
void read_levels(GgufType type, std::span<const std::byte> blocks, std::span<int8_t> values, std::span<f16> scales,
                 std::span<float> offsets);

// Whether quantize() makes the type: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K.
bool can_quantize(GgufType type);
// f32 to whole blocks. A block type needs finite values whose scale fits an f16. Throws Error: shape if the sizes do
// not fit together, numeric (NaN, infinity, out of f16's range), unsupported.
void quantize(GgufType type, std::span<const float> values, std::span<std::byte> blocks);

}  // namespace sensorium::io
