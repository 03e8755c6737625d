// The weights of a model folder in Hugging Face's layout: model.safetensors, or the shards that
// model.safetensors.index.json lists ({"metadata": {...}, "weight_map": {tensor: file}}).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/safetensors.h"

namespace sensorium::io {

class SafetensorsFolder {
 public:
  // Opens and checks every shard; one file is preferred to an index where both exist. Throws Error with the path:
  // not_found, invalid_data (the index names a file outside the folder, or a tensor that its file lacks), and as
  // SafetensorsFile.
  static SafetensorsFolder open(const std::filesystem::path& directory);

  const std::vector<std::string>& names() const { return names_; }  // sorted
  bool contains(const std::string& name) const { return shard_of_.contains(name); }
  // As SafetensorsFile::tensor.
  Tensor tensor(const std::string& name) const;

 private:
  std::vector<SafetensorsFile> shards_;
  std::map<std::string, size_t> shard_of_;
  std::vector<std::string> names_;
};

}  // namespace sensorium::io
