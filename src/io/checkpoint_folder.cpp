#include "io/checkpoint_folder.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/json.h"

namespace sensorium::io {
namespace {
namespace fs = std::filesystem;

using Shard = std::variant<SafetensorsFile, TorchFile>;

struct Layout {
  const char *single, *index;
  Shard (*open)(const fs::path& path);
};
constexpr std::array<Layout, 2> kLayouts = {{
    {"model.safetensors", "model.safetensors.index.json",
     [](const fs::path& path) -> Shard { return SafetensorsFile::open(path); }},
    {"pytorch_model.bin", "pytorch_model.bin.index.json",
     [](const fs::path& path) -> Shard { return TorchFile::open(path); }},
}};

bool is_there(const fs::path& path) {
  std::error_code code;  // no permission, a name that is too long: as if it were not there
  return fs::exists(path, code);
}

bool holds(const Shard& shard, const std::string& name) {
  return std::visit([&](const auto& file) { return file.contains(name); }, shard);
}

// tensor -> file of the folder
std::map<std::string, std::string> read_index(const fs::path& index) {
  const Json json = read_json_file(index);
  require(json.is_object() && json.contains("weight_map") && json.at("weight_map").is_object(), ErrorKind::invalid_data,
          "{}: expected \"weight_map\": {{tensor: file}}", index.string());
  std::map<std::string, std::string> files;
  for (const auto& [name, file] : json.at("weight_map").items()) {
    require(file.is_string(), ErrorKind::invalid_data, "{}: tensor {}: the file is {}, expected a name", index.string(),
            name, file.type_name());
    const std::string shard = file.get<std::string>();
    require(!shard.empty() && fs::path(shard).filename() == shard && shard != "." && shard != ".." &&
                shard.find('\0') == std::string::npos,
            ErrorKind::invalid_data, "{}: tensor {}: \"{}\" is no file of this folder", index.string(), name, shard);
    files[name] = shard;
  }
  return files;
}

// A download that was broken off is said once, not file by file.
void require_shards(const fs::path& directory, const fs::path& index, const std::map<std::string, std::string>& files) {
  std::set<std::string> shards, missing;
  for (const auto& [name, shard] : files) {
    shards.insert(shard);
    if (!is_there(directory / shard)) missing.insert(shard);
  }
  require(missing.empty(), ErrorKind::not_found, "{}: {} of {} files are missing: {}", index.string(), missing.size(),
          shards.size(), fmt::join(missing, ", "));
}

}  // namespace

CheckpointFolder CheckpointFolder::open(const fs::path& directory) {
  CheckpointFolder folder;
  const auto layout = std::ranges::find_if(kLayouts, [&](const Layout& candidate) {
    return is_there(directory / candidate.single) || is_there(directory / candidate.index);
  });
  require(layout != kLayouts.end(), ErrorKind::not_found,
          "{}: holds neither model.safetensors nor pytorch_model.bin, nor an index of either", directory.string());
  if (const fs::path single = directory / layout->single; is_there(single)) {
    folder.shards_.push_back(layout->open(single));
    for (const std::string& name : std::visit([](const auto& file) { return file.names(); }, folder.shards_.front())) {
      folder.shard_of_[name] = 0;
    }
  } else {
    const fs::path index = directory / layout->index;
    const std::map<std::string, std::string> files = read_index(index);
    require_shards(directory, index, files);
    std::map<std::string, size_t> place_of;
    for (const auto& [name, shard] : files) {
      const auto [place, is_new] = place_of.emplace(shard, folder.shards_.size());
      if (is_new) folder.shards_.push_back(layout->open(directory / shard));
      require(holds(folder.shards_[place->second], name), ErrorKind::invalid_data, "{}: {} has no tensor {}",
              index.string(), shard, name);
      folder.shard_of_[name] = place->second;
    }
  }
  for (const auto& [name, shard] : folder.shard_of_) folder.names_.push_back(name);
  return folder;
}

Tensor CheckpointFolder::tensor(const std::string& name) const {
  const auto found = shard_of_.find(name);
  require(found != shard_of_.end(), ErrorKind::not_found, "no tensor {} in the model's files", name);
  return std::visit([&](const auto& file) { return file.tensor(name); }, shards_[found->second]);
}

}  // namespace sensorium::io
