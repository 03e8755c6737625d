// The weights of a model folder in Hugging Face's layout, whichever format they are in: one file, or the shards that an
// index lists ({"metadata": {...}, "weight_map": {tensor: file}}).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "io/safetensors.h"
#include "io/torch_file.h"

namespace sensorium::io {

class CheckpointFolder {
 public:
  // The first that exists of model.safetensors, model.safetensors.index.json, pytorch_model.bin and
  // pytorch_model.bin.index.json. Opens and checks every shard. Throws Error with the path: not_found (names all files
  // that are missing), invalid_data (the index names a file outside the folder, or a tensor that its file lacks), and as
  // SafetensorsFile and TorchFile.
  static CheckpointFolder open(const std::filesystem::path& directory);

  const std::vector<std::string>& names() const { return names_; }  // sorted
  bool contains(const std::string& name) const { return shard_of_.contains(name); }
  // As the tensor() of the shard that holds it: a view on its map where that is possible. Throws Error(not_found).
  Tensor tensor(const std::string& name) const;

 private:
  using Shard = std::variant<SafetensorsFile, TorchFile>;

  std::vector<Shard> shards_;
  std::map<std::string, size_t> shard_of_;
  std::vector<std::string> names_;
};

}  // namespace sensorium::io
