// NumPy's .npy files, versions 1 to 3 (numpy.lib.format): one array with its dtype and shape.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "base/error.h"
#include "tensor/tensor.h"

namespace sensorium::io {

// The array as a tensor of its own. f4, f2, i1, u1, i4 and i8 keep their type; bool becomes u8, i2 and u2 become i32,
// f8 is rounded to f32. Errors: invalid_data (damaged, cut off or overlong), unsupported (other dtypes, big-endian,
// Fortran order, more than 6 dimensions).
Result<Tensor> parse_npy(std::span<const std::byte> bytes);
// Throws Error with the path.
Tensor read_npy(const std::filesystem::path& path);

// A version 1 file. Throws Error(unsupported) for bf16, which NumPy lacks.
std::string encode_npy(const Tensor& tensor);

}  // namespace sensorium::io
