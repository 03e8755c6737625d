// The safetensors format, version 0.4: an 8-byte little-endian header length, a JSON header, then the tensors' bytes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "io/lazy_tensor.h"
#include "tensor/tensor.h"

namespace sensorium::io {

// A memory-mapped file. Copies share the map.
class SafetensorsFile {
 public:
  // Checks the whole header: length (at most 100 MB), JSON, dtypes, shapes, offsets (inside the file, no overlap, no
  // hole, as the format demands). Throws Error with the path: not_found, io, invalid_data, unsupported (a dtype, naming
  // the tensor).
  static SafetensorsFile open(const std::filesystem::path& path);
  // The same checks on bytes in memory; `owner` keeps them alive.
  static Result<SafetensorsFile> parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

  const std::vector<std::string>& names() const { return names_; }  // in the order of their bytes
  bool contains(const std::string& name) const { return entries_.contains(name); }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // A view on the map, or a copy if the bytes are not aligned for the dtype. Throws Error(not_found).
  Tensor tensor(const std::string& name) const;

 private:
  struct Entry {
    DType dtype;
    Shape shape;
    const std::byte* data;
  };
  std::shared_ptr<const void> owner_;
  std::map<std::string, Entry> entries_;
  std::vector<std::string> names_;
  std::map<std::string, std::string> metadata_;
};

struct NamedShape {
  std::string name;
  DType dtype;
  Shape shape;
};
// The length and the header of a file of these tensors, filled up to a multiple of 64 bytes. Throws Error(usage) for a name
// that stands twice or is reserved; `where` is for messages.
std::string safetensors_header(const std::string& where, const std::vector<NamedShape>& tensors,
                               const std::map<std::string, std::string>& metadata);

struct NamedTensor {
  std::string name;
  Tensor tensor;
};
// Writes atomically, straight from the tensors' memory. Throws Error(io); usage for a name that stands twice or is
// reserved.
void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata);

struct NamedLazyTensor {
  std::string name;
  LazyTensor tensor;
};
// The same, one tensor in memory at a time. Throws Error as above, and what makes a tensor throws.
void stream_safetensors(const std::filesystem::path& path, const std::vector<NamedLazyTensor>& tensors,
                        const std::map<std::string, std::string>& metadata);

}  // namespace sensorium::io
