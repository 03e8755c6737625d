#include "io/safetensors_folder.h"

#include "base/json.h"

namespace sensorium::io {
namespace fs = std::filesystem;

SafetensorsFolder SafetensorsFolder::open(const fs::path& directory) {
  SafetensorsFolder folder;
  const fs::path single = directory / "model.safetensors";
  const fs::path index = directory / "model.safetensors.index.json";
  if (fs::exists(single)) {
    folder.shards_.push_back(SafetensorsFile::open(single));
    for (const std::string& name : folder.shards_[0].names()) folder.shard_of_[name] = 0;
  } else {
    require(fs::exists(index), ErrorKind::not_found,
            "{}: holds neither model.safetensors nor model.safetensors.index.json", directory.string());
    const Json json = read_json_file(index);
    require(json.is_object() && json.contains("weight_map") && json.at("weight_map").is_object(),
            ErrorKind::invalid_data, "{}: expected \"weight_map\": {{tensor: file}}", index.string());
    std::map<std::string, size_t> shard_of_file;
    for (const auto& [name, file] : json.at("weight_map").items()) {
      require(file.is_string(), ErrorKind::invalid_data, "{}: tensor {}: the file is {}, expected a name",
              index.string(), name, file.type_name());
      const std::string shard = file.get<std::string>();
      require(!shard.empty() && fs::path(shard).filename() == shard && shard != "." && shard != "..",
              ErrorKind::invalid_data, "{}: tensor {}: \"{}\" is no file of this folder", index.string(), name, shard);
      const auto [place, is_new] = shard_of_file.emplace(shard, folder.shards_.size());
      if (is_new) folder.shards_.push_back(SafetensorsFile::open(directory / shard));
      require(folder.shards_[place->second].contains(name), ErrorKind::invalid_data, "{}: {} has no tensor {}",
              index.string(), shard, name);
      folder.shard_of_[name] = place->second;
    }
  }
  for (const auto& [name, shard] : folder.shard_of_) folder.names_.push_back(name);
  return folder;
}

Tensor SafetensorsFolder::tensor(const std::string& name) const {
  const auto found = shard_of_.find(name);
  require(found != shard_of_.end(), ErrorKind::not_found, "no tensor {} in the model's files", name);
  return shards_[found->second].tensor(name);
}

}  // namespace sensorium::io
