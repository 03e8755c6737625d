// The named parameters of a model, in the order in which they were added.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "ops/packed_weight.h"
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

// A matrix [out, in] that products read: a tensor, or packed for the kernels; one of both is defined.
struct Matrix {
  Tensor tensor;
  ops::PackedWeight packed;
};
struct PackedParameter {
  std::string name;
  ops::PackedWeight value;
};

class ParameterStore {
 public:
  // Is asked for every parameter by name and shape (loading a checkpoint: no random start).
  struct Source {
    using Read = std::function<Tensor(const std::string& name, const Shape& shape)>;
    // Undefined where the matrix is not packed.
    using ReadPacked = std::function<ops::PackedWeight(const std::string& name, const Shape& shape)>;

    Source() = default;
    template <typename F>
    requires std::is_invocable_r_v<Tensor, F, const std::string&, const Shape&> Source(F read)
        : tensor(std::move(read)) {}  // NOLINT: a source is its function
    Source(Read read, ReadPacked read_packed) : tensor(std::move(read)), packed(std::move(read_packed)) {}

    Read tensor;        // returns the tensor or throws
    ReadPacked packed;  // may be empty: nothing is packed
  };
  explicit ParameterStore(uint64_t seed = 0) : seed_(seed) {}
  explicit ParameterStore(Source source) : source_(std::move(source)) {}

  // Creates or loads a parameter; throws Error(shape) if the name exists. Rank-1 parameters get no weight decay.
  Tensor add(const std::string& name, const Shape& shape, Init init = Init::zeros, float scale = 1.0f);
  // The same for a matrix that only products read (and rows of it): a source may have it packed, and then packed() lists it.
  Matrix add_matrix(const std::string& name, const Shape& shape, Init init, float scale = 1.0f);
  // Parameters that are added from now on, an adapter's, start as Init says.
  void forget_source() { source_ = {}; }
  // Of the random values of parameters that are added from now on.
  void set_seed(uint64_t seed) { seed_ = seed; }

  const std::vector<PackedParameter>& packed() const { return packed_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  std::vector<Parameter>& parameters() { return parameters_; }
  // Throws Error(not_found).
  const Parameter& find(std::string_view name) const;
  int64_t total_elements() const;  // packed ones too

  // Turns training on or off for every parameter whose name matches one of the patterns ("decoder.*", "*.norm.weight",
  // "*": `*` matches any run of characters). Returns how many matched.
  int64_t set_trainable(const std::vector<std::string>& patterns, bool trainable);
  void clear_grads();

 private:
  Tensor read(const std::string& name, const Shape& shape, bool matrix) const;
  void require_new(const std::string& name) const;

  uint64_t seed_ = 0;
  Source source_;
  std::vector<Parameter> parameters_;
  std::vector<PackedParameter> packed_;
};

// While one lives, stores with a source that parameters are added to on this thread ask it instead, so that a checkpoint can go
// through the program parameter by parameter, however large the model (see models/quantize.h).
class ParameterTap {
 public:
  enum class Role : uint8_t { tensor, matrix };
  // Returns what the store is to hold: what `read` gives, or any tensor of that shape if the model is not to be used.
  using Visit = std::function<Tensor(const std::string& name, const Shape& shape, Role role,
                                     const std::function<Tensor()>& read)>;

  explicit ParameterTap(Visit visit);
  ~ParameterTap();
  ParameterTap(const ParameterTap&) = delete;
  ParameterTap& operator=(const ParameterTap&) = delete;
  // Whether one lives on this thread.
  static bool active();

 private:
  Visit visit_;
  Visit* outer_;
};

// `*` matches any run of characters, everything else itself.
bool matches_pattern(std::string_view pattern, std::string_view name);

}  // namespace sensorium::nn
