// Matrices in blocks of GGUF, brought into the kernels' layout (kernels/packed.h) while they load: row by row out of the mapped
// file, so that nothing but the result takes memory.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "models/checkpoint/tensor_files.h"
#include "ops/packed_weight.h"

namespace sensorium::models {

// Tensors of a checkpoint whose rows, one behind the other, make a matrix.
using MatrixParts = std::vector<const TensorFiles::Entry*>;

// q4/32 where all parts are Q4_0, Q4_1 or Q4_K, with offsets unless all are Q4_0; q8/32 for everything else. The same numbers for Q4_0,
// Q5_0 and Q8_0; Q4_1 and Q4_K but for offsets that are rounded to 8 bits (and scales of Q4_K to f16); the other types are rounded to
// 8 bits. None if some part has no blocks.
std::optional<kernels::PackedLayout> repacked_type(const MatrixParts& parts);
// What that type is for [N, K], and the bytes with the offsets'.
kernels::PackedLayout repacked_layout(const MatrixParts& parts, const Shape& shape);
int64_t repacked_bytes(const MatrixParts& parts, const Shape& shape);

// [N, K]; the parts have blocks and N rows of K values in all. Throws Error(numeric) that names the tensor for numbers that 8
// bits with an f16 scale cannot hold.
ops::PackedWeight repack(const MatrixParts& parts, const Shape& shape);
// The same rows in bf16, for tables that are only looked up.
Tensor unpack_to_brain(const MatrixParts& parts, const Shape& shape);

}  // namespace sensorium::models
