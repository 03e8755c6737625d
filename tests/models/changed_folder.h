// A copy of a golden folder whose files a test changes.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/file.h"
#include "io/safetensors.h"
#include "models/golden_folder.h"
#include "models/tiny_model.h"

namespace sensorium::models {

class ChangedFolder {
 public:
  explicit ChangedFolder(const std::string& family)
      : path_(std::filesystem::temp_directory_path() /
              fmt::format("sensorium_{}_{}_{}", family, ::getpid(), ++count_)) {
    std::filesystem::copy(golden_path(family), path_, std::filesystem::copy_options::recursive);
  }
  ~ChangedFolder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

  // The tensors by their old names; `change` may rename, replace or drop ("" as name) each.
  void rewrite(const std::function<void(io::NamedTensor& tensor)>& change,
               std::vector<io::NamedTensor> tensors = {}) const {
    const io::SafetensorsFile file = io::SafetensorsFile::open(path_ / "model.safetensors");
    for (const std::string& name : file.names()) {
      io::NamedTensor tensor{name, file.tensor(name).clone()};
      change(tensor);
      if (!tensor.name.empty()) tensors.push_back(std::move(tensor));
    }
    io::write_safetensors(path_ / "model.safetensors", tensors, {{"format", "pt"}});
  }
  void configure(const std::function<void(Json& config)>& change) const {
    Json config = read_json_file(path_ / "config.json");
    change(config);
    write_file_atomic(path_ / "config.json", config.dump());
  }
  Error error() const {
    return error_of([&] { load_model(path_); });
  }

 private:
  static inline int count_ = 0;
  std::filesystem::path path_;
};

}  // namespace sensorium::models
