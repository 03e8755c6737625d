// Writes a safetensors file whose tensors come one after the other, in any order: the bytes of a model need not be in memory
// together.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "io/safetensors.h"

namespace sensorium::io {

class SafetensorsWriter {
 public:
  // The tensors' bytes stand in the order of `entries`, the first at a multiple of 64. Throws Error: io; usage for a name that
  // stands twice.
  SafetensorsWriter(const std::filesystem::path& path, const std::vector<NamedShape>& entries,
                    const std::map<std::string, std::string>& metadata);

  // Throws Error: io; usage for a tensor that was not announced like this, or comes twice.
  void put(const std::string& name, const Tensor& tensor);
  // The file is there when this returns. Throws Error: io; usage if a tensor has not come.
  void commit();
  uint64_t bytes() const { return bytes_; }

 private:
  struct Place {
    DType dtype;
    Shape shape;
    uint64_t offset;
  };
  std::string path_;
  AtomicFile file_;
  std::map<std::string, Place> places_;
  std::set<std::string> missing_;
  uint64_t bytes_ = 0;
};

}  // namespace sensorium::io
