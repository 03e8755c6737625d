// PyTorch checkpoints (pytorch_model.bin, .pt, .pth): the ZIP archives that torch.save writes since PyTorch 1.6, read
// without PyTorch, without executing anything, and without copying the weights.
// Source: torch/serialization.py; caffe2/serialize/inline_container.h (the archive: data.pkl, data/KEY, byteorder).
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "io/torch_state.h"
#include "tensor/tensor.h"

namespace sensorium::io {

// A memory-mapped file. Copies share the map.
class TorchFile {
 public:
  // Reads the archive's directory and the pickle, and checks every tensor against its storage. Throws Error with the
  // path: not_found, io, invalid_data, limit, unsupported (the format before PyTorch 1.6, TorchScript, big-endian,
  // compressed archives, a name outside the list of torch_globals.h, a tensor's type).
  static TorchFile open(const std::filesystem::path& path, TorchNames names = TorchNames::unwrapped);
  // The same checks on bytes in memory; `owner` keeps them alive.
  static Result<TorchFile> parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                 TorchNames names = TorchNames::unwrapped);

  const std::vector<std::string>& names() const { return names_; }  // in the order of the dicts
  bool contains(const std::string& name) const { return tensors_.contains(name); }
  // As to_tensor(): a view on the map, or a copy. Throws Error(not_found).
  Tensor tensor(const std::string& name) const;

 private:
  std::shared_ptr<const void> owner_;
  std::map<std::string, TorchTensor> tensors_;
  std::vector<std::string> names_;
};

}  // namespace sensorium::io
