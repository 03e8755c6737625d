#include "models/checkpoint/packed.h"

namespace sensorium::models {

std::string packed_name(const std::string& parameter, const kernels::PackedLayout& type) {
  return fmt::format("{}.{}", parameter, kernels::name_of(type));
}

std::optional<FoundPacked> find_packed(const std::string& parameter,
                                       const std::function<bool(const std::string& name)>& contains) {
  for (const kernels::PackedLayout& type : kernels::packed_types()) {
    const std::string name = packed_name(parameter, type);
    if (contains(name)) return FoundPacked{name, type};
  }
  return std::nullopt;
}

ops::PackedWeight view_packed_tensor(const FoundPacked& found, const Tensor& bytes, const Shape& shape) {
  require(shape.rank() == 2, ErrorKind::invalid_data, "tensor {}: only matrices are packed, not {}", found.name, shape);
  kernels::PackedLayout layout = found.type;
  layout.n = shape[0];
  layout.k = shape[1];
  try {
    return ops::view_packed(bytes.reshape({bytes.elements()}), layout);
  } catch (const Error& error) {
    throw error.with_context(fmt::format("tensor {}", found.name));
  }
}

}  // namespace sensorium::models
