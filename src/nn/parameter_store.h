// The named parameters of a model, in the order in which they were added.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace sensorium::nn {

// How a parameter starts. Random values depend on the store's seed and the parameter's name alone, so that adding a
// parameter does not change the others.
enum class Init : uint8_t {
  zeros,
  ones,
  normal,  // normal with standard deviation `scale`, cut off at two deviations
  he,      // normal with deviation sqrt(2 / fan-in) * scale (He 2015); fan-in = elements / dim(0)
  lecun,   // normal with deviation sqrt(1 / fan-in) * scale
};

struct Parameter {
  std::string name;
  Tensor value;       // f32 when training; bf16 or f32 (maybe mapped) when only used
  bool decay = true;  // weight decay applies: matrices yes; norms, biases and gains no
};

class ParameterStore {
 public:
  // `source`, if given, is asked for every parameter by name and shape (loading a checkpoint: no random start); it
  // returns the tensor or throws.
  using Source = std::function<Tensor(const std::string& name, const Shape& shape)>;
  explicit ParameterStore(uint64_t seed = 0) : seed_(seed) {}
  explicit ParameterStore(Source source) : source_(std::move(source)) {}

  // Creates or loads a parameter; throws Error(shape) if the name exists. Rank-1 parameters get no weight decay.
  Tensor add(const std::string& name, const Shape& shape, Init init = Init::zeros, float scale = 1.0f);

  const std::vector<Parameter>& parameters() const { return parameters_; }
  std::vector<Parameter>& parameters() { return parameters_; }
  // Throws Error(not_found).
  const Parameter& find(std::string_view name) const;
  int64_t total_elements() const;

  // Turns training on or off for every parameter whose name matches one of the patterns ("decoder.*", "*.norm.weight",
  // "*": `*` matches any run of characters). Returns how many matched.
  int64_t set_trainable(const std::vector<std::string>& patterns, bool trainable);
  void clear_grads();

 private:
  uint64_t seed_ = 0;
  Source source_;
  std::vector<Parameter> parameters_;
};

// `*` matches any run of characters, everything else itself.
bool matches_pattern(std::string_view pattern, std::string_view name);

}  // namespace sensorium::nn
