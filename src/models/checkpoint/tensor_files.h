// The tensors of a checkpoint under the names of Hugging Face's layout, whatever files they are in.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/gguf_types.h"
#include "tensor/tensor.h"

namespace sensorium::models {

// A matrix whose rows are blocks of GGUF in a mapped file.
struct BlockRows {
  io::GgufType type = io::GgufType::q8_0;
  // Of the row in this program's order; they stay valid as long as this object.
  std::function<std::span<const std::byte>(int64_t row)> blocks;
  // The file's pages leave the memory.
  std::function<void()> drop;
};

class TensorFiles {
 public:
  // What is known of a tensor before it is read.
  struct Entry {
    Shape shape;
    DType dtype = DType::f32;      // of what read() returns
    bool mapped = true;            // read() gives a view of a mapped file; otherwise a copy
    std::string file_name;         // what the file itself calls it
    std::function<Tensor()> read;  // may throw Error
    // What read() would dequantise to f32; null for all that is kept as plain numbers.
    std::shared_ptr<const BlockRows> blocks = nullptr;
  };

  // Throws Error(invalid_data) for a name that stands twice.
  void add(const std::string& name, Entry entry);
  // A view of a mapped file.
  void add(const std::string& name, const Tensor& tensor, std::string file_name = "");
  // How the files would call a tensor that they lack; without it, as it is asked for.
  void set_spelling(std::function<std::string(const std::string& name)> spelling) { spelling_ = std::move(spelling); }

  bool contains(const std::string& name) const { return entries_.contains(name); }
  const std::map<std::string, Entry>& entries() const { return entries_; }
  // Throw Error(not_found).
  const Entry& find(const std::string& name) const;
  Tensor read(const std::string& name) const { return find(name).read(); }
  // For messages: the name in the files.
  std::string spelled(const std::string& name) const;

 private:
  std::map<std::string, Entry> entries_;
  std::function<std::string(const std::string& name)> spelling_;
};

}  // namespace sensorium::models
