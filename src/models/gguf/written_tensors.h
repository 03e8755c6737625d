// The tensors of a GGUF file that is going to be written, each with its type.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/gguf.h"

namespace sensorium::models {

class WrittenTensors {
 public:
  enum class Smallest : uint8_t { any, q8_0 };

  // `type` of matrices; without it they stay as they are.
  WrittenTensors(std::optional<io::GgufType> type, Smallest smallest) : type_(type), smallest_(smallest) {}

  // Matrices get the type, as far as their rows allow; vectors, position embeddings and convolutions the one that llama.cpp
  // reads them in (f32, f32, f16 or f32). Throws Error(unsupported) for what is no float.
  void add(const std::string& name, io::LazyTensor tensor);
  // Throws Error(invalid_data) that names a tensor of `names` that was not added.
  void require_all(const std::vector<std::string>& names, const std::string& where) const;

  const std::vector<io::GgufOutput>& outputs() const { return outputs_; }

 private:
  io::GgufType type_for(const std::string& name, const io::LazyTensor& tensor) const;

  std::optional<io::GgufType> type_;
  Smallest smallest_;
  std::vector<io::GgufOutput> outputs_;
};

}  // namespace sensorium::models
