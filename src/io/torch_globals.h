// The names that a pickle of tensors may refer to: a closed list. Nothing outside it is looked up, and nothing in it
// runs code: each stands for a value or a small step of the reader.
// Source: torch/_utils.py and torch/serialization.py (what torch.save writes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "tensor/dtype.h"

namespace sensorium::io {

// A PyTorch element type. What a Tensor cannot hold is converted as for .npy files: float64 to f32, int16 to i32, bool
// to u8.
struct TorchElement {
  std::string_view name;       // "float32"
  size_t bytes;                // in the file
  std::optional<DType> dtype;  // in memory; none: not supported
};

enum class TorchGlobal : uint8_t {
  ordered_dict,       // OrderedDict(): a dict
  size,               // torch.Size(tuple): the tuple
  rebuild_tensor,     // (storage, offset, size, stride, requires_grad, hooks[, metadata])
  rebuild_tensor_v3,  // the same with the dtype before the metadata
  rebuild_parameter,  // (tensor, requires_grad, hooks): the tensor
  storage_type,       // torch.FloatStorage
  dtype,              // torch.float32
};

struct TorchGlobalInfo {
  std::string_view module, name;
  TorchGlobal meaning;
  const TorchElement* element;  // of storage types and dtypes
};

// nullptr for a name that is not in the list.
const TorchGlobalInfo* find_torch_global(std::string_view module, std::string_view name);

}  // namespace sensorium::io
