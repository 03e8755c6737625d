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

// q4/32 for Q4_0, q8/32 for everything else: the same numbers for Q4_0, Q5_0 and Q8_0; the other types, which have an offset
// or more scales than the kernels, are rounded to 8 bits. None if some part has no blocks.
std::optional<kernels::PackedLayout> repacked_type(const MatrixParts& parts);
// What that type is for [N, K], bytes included.
kernels::PackedLayout repacked_layout(const MatrixParts& parts, const Shape& shape);

// [N, K]; the parts have blocks and N rows of K values in all. Throws Error(numeric) that names the tensor for numbers that 8
// bits with an f16 scale cannot hold.
ops::PackedWeight repack(const MatrixParts& parts, const Shape& shape);
// The same rows in bf16, for tables that are only looked up.
Tensor unpack_to_brain(const MatrixParts& parts, const Shape& shape);

}  // namespace sensorium::models
