// Packed matrices in a checkpoint's files: a u8 tensor named "<parameter>.<type>", for example
// "decoder.layers.0.mlp.down.weight.q4/64", whose bytes are the layout of kernels/packed.h. The parameter's shape comes from the
// configuration, as for every other one.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "kernels/packed.h"
#include "ops/packed_weight.h"

namespace sensorium::models {

std::string packed_name(const std::string& parameter, const kernels::PackedLayout& type);

struct FoundPacked {
  std::string name;
  kernels::PackedLayout type;
};
// Where files that `contains` asks hold a parameter packed; none if they do not.
std::optional<FoundPacked> find_packed(const std::string& parameter,
                                       const std::function<bool(const std::string& name)>& contains);

// A view of the file's bytes. Throws Error(invalid_data) that names the tensor if they do not fit [N, K].
ops::PackedWeight view_packed_tensor(const FoundPacked& found, const Tensor& bytes, const Shape& shape);

}  // namespace sensorium::models
