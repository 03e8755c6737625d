// The tensors of an unpickled PyTorch checkpoint, with names made of the dicts' keys.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/pickle.h"
#include "tensor/tensor.h"

namespace sensorium::io {

enum class TorchNames {
  // A checkpoint often wraps the weights: {"state_dict": {...}, "epoch": 3}. If the outer dict holds no tensor itself,
  // and its "state_dict", "model_state_dict", "model" or "module" is a dict that does (or wraps one again), the names
  // are those of the inner dict and the rest is left alone.
  unwrapped,
  full,  // every tensor, by its whole path: "state_dict.conv.weight", "optimizer.state.0.exp_avg"
};

// A checked view: every element that shape and strides reach lies inside `bytes`.
struct TorchTensor {
  const TorchElement* element = nullptr;
  Shape shape;
  std::vector<int64_t> strides;      // in elements, not negative; 0 for a size of 1
  std::span<const std::byte> bytes;  // from the first element to the end of the storage
};
struct NamedTorchTensor {
  std::string name;
  TorchTensor tensor;
};

// Storages by their key in the archive.
using TorchStorages = std::map<std::string, std::span<const std::byte>, std::less<>>;

// The tensors in the order of the dicts. Dicts, lists and tuples nest at most 64 deep (a container that holds itself is
// refused by that); the keys and indices on the way are joined by dots. What is neither a tensor nor a container is
// skipped. The work and the memory are proportional to the pickle, however often its parts are shared; tensors that
// must be copied have together at most twice the bytes of the storages and 64 MiB. Errors: invalid_data (naming the
// tensor; also for a name that stands twice), unsupported (an element type, more than 6 dimensions), limit.
Result<std::vector<NamedTorchTensor>> collect_tensors(const Pickle& pickle, const TorchStorages& storages,
                                                      TorchNames names);

// A view on the storage where the elements are contiguous, aligned and of a type that Tensor has; a copy otherwise
// (float64 becomes f32, int16 i32; bool is u8).
Tensor to_tensor(const TorchTensor& tensor, std::shared_ptr<const void> owner);

}  // namespace sensorium::io
