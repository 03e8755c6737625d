// GGUF, versions 2 and 3, little-endian: typed metadata, then tensors whose blocks are read where they lie.
// Source: the GGUF specification (ggml-org/ggml, docs/gguf.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "io/gguf_types.h"
#include "io/gguf_value.h"
#include "io/lazy_tensor.h"
#include "tensor/tensor.h"

namespace sensorium::io {

// A tensor as the file holds it. The shape is row-major with the outermost dimension first, the reverse of the order in
// the file; the last dimension is a whole number of blocks.
struct GgufTensor {
  GgufType type = GgufType::f32;
  Shape shape;
  std::span<const std::byte> blocks;  // lives as long as GgufFile::owner()
};

// A memory-mapped file. Copies share the map.
class GgufFile {
 public:
  // Checks everything but the tensors' values: counts and lengths against the bytes that are there before anything is
  // allocated, duplicate keys and names, value types, the alignment (a power of two, at most 1 MiB), types, shapes,
  // offsets (aligned, inside the file, no overlap). Throws Error with the path: not_found, io, invalid_data,
  // unsupported (version 1, big-endian, a tensor's type, naming both). Of a model in several files
  // (NAME-00001-of-00003.gguf) it takes the first and opens the others beside it; a missing one is not_found.
  static GgufFile open(const std::filesystem::path& path);
  // The same checks on bytes in memory; `owner` keeps them alive.
  static Result<GgufFile> parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

  uint32_t version() const { return version_; }
  size_t alignment() const { return alignment_; }

  const std::vector<std::string>& keys() const { return keys_; }  // in the order of the file
  bool has(const std::string& key) const { return metadata_.contains(key); }
  // Throws Error(not_found).
  const GgufValue& value(const std::string& key) const;
  // Typed, as GgufValue::as; errors name the key.
  template <typename T>
  T get(const std::string& key) const {
    const GgufValue& found = value(key);
    try {
      return found.as<T>();
    } catch (const Error& error) {
      throw error.with_context("metadata " + key);
    }
  }
  template <typename T>
  T get_or(const std::string& key, T fallback) const {
    return has(key) ? get<T>(key) : fallback;
  }

  const std::vector<std::string>& names() const { return names_; }  // in the order of the file
  bool contains(const std::string& name) const { return tensors_.contains(name); }
  // The raw blocks, not copied. Throws Error(not_found).
  const GgufTensor& blocks(const std::string& name) const;
  // A plain type as it is, a view of the map (a copy if it is not aligned for the dtype); a block type dequantised to
  // f32. Throws Error(not_found).
  Tensor tensor(const std::string& name) const;
  // Keeps the bytes of blocks() alive.
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  // Opens the other parts of a model in several files.
  void add_splits(const std::filesystem::path& path);

  uint32_t version_ = 3;
  size_t alignment_ = 32;
  std::shared_ptr<const void> owner_;
  std::map<std::string, GgufValue> metadata_;
  std::vector<std::string> keys_;
  std::map<std::string, GgufTensor> tensors_;
  std::vector<std::string> names_;
};

struct GgufEntry {
  std::string key;
  GgufValue value;
};
// A tensor to write: a Tensor (on the CPU), at once or when its turn comes, converted to `type` piece by piece on the way to
// the disk; or the blocks of another file as they are.
struct GgufOutput {
  std::string name;
  GgufType type;
  std::variant<Tensor, LazyTensor, GgufTensor> data;
};
// Writes version 3 atomically, with tensors aligned as metadata's general.alignment says (32 without it). Throws Error:
// io; usage for keys or names that stand twice, an unusable alignment or blocks of another type; shape for a last
// dimension that is no whole number of blocks; unsupported and numeric as quantize().
void write_gguf(const std::filesystem::path& path, const std::vector<GgufEntry>& metadata,
                const std::vector<GgufOutput>& tensors);

}  // namespace sensorium::io
