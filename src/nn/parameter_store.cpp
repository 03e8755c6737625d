#include "nn/parameter_store.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/threads.h"

namespace sensorium::nn {
namespace {

constexpr int64_t kBlock = 16384;  // elements that one generator fills
constexpr double kCut = 2.0;       // deviations

thread_local ParameterTap::Visit* active_tap = nullptr;

// FNV-1a (Fowler, Noll, Vo), 64 bits.
uint64_t hash_of(std::string_view name) {
  uint64_t hash = 0xCBF29CE484222325ull;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  return hash;
}

void fill_normal(const Tensor& value, uint64_t seed, float stddev) {
  float* out = value.data<float>();
  const int64_t count = value.elements();
  parallel_for((count + kBlock - 1) / kBlock, 1, [&](int64_t first, int64_t last, int) {
    for (int64_t block = first; block < last; ++block) {
      Rng rng = Rng::for_item(seed, static_cast<uint64_t>(block));
      for (int64_t i = block * kBlock; i < std::min(count, (block + 1) * kBlock); ++i) {
        double draw = rng.normal();
        while (std::abs(draw) > kCut) draw = rng.normal();
        out[i] = static_cast<float>(draw) * stddev;
      }
    }
  });
}

Tensor start_value(const Shape& shape, Init init, float scale, uint64_t seed) {
  const auto fan_in =
      static_cast<float>(std::max<int64_t>(shape.rank() == 0 || shape[0] == 0 ? 1 : shape.elements() / shape[0], 1));
  float stddev = scale;
  switch (init) {
    case Init::zeros:
      return Tensor::zeros(shape);
    case Init::ones:
      return Tensor::full(shape, 1.0f);
    case Init::normal:
      break;
    case Init::he:
      stddev = scale * std::sqrt(2.0f / fan_in);
      break;
    case Init::lecun:
      stddev = scale * std::sqrt(1.0f / fan_in);
      break;
  }
  Tensor value = Tensor::empty(shape);
  fill_normal(value, seed, stddev);
  return value;
}

}  // namespace

void ParameterStore::require_new(const std::string& name) const {
  const auto named = [&](const auto& parameter) { return parameter.name == name; };
  require(std::none_of(parameters_.begin(), parameters_.end(), named) &&
              std::none_of(packed_.begin(), packed_.end(), named),
          ErrorKind::shape, "parameter {} exists twice", name);
}

Tensor ParameterStore::read(const std::string& name, const Shape& shape, bool matrix) const {
  const std::function<Tensor()> from_source = [&] { return source_.tensor(name, shape); };
  const Tensor value =
      active_tap == nullptr
          ? from_source()
          : (*active_tap)(name, shape, matrix ? ParameterTap::Role::matrix : ParameterTap::Role::tensor, from_source);
  require(value.defined() && value.shape() == shape, ErrorKind::shape, "parameter {} should be {}, the source has {}",
          name, shape, value.defined() ? value.shape().str() : "nothing");
  return value;
}

Tensor ParameterStore::add(const std::string& name, const Shape& shape, Init init, float scale) {
  require_new(name);
  Tensor value;
  if (source_.tensor) {
    value = read(name, shape, false);
  } else {
    value = start_value(shape, init, scale, seed_ ^ hash_of(name));
    value.set_requires_grad(true);
  }
  parameters_.push_back({.name = name, .value = value, .decay = shape.rank() > 1});
  return value;
}

Matrix ParameterStore::add_matrix(const std::string& name, const Shape& shape, Init init, float scale) {
  if (!source_.tensor) return {add(name, shape, init, scale), {}};
  require_new(name);
  if (source_.packed) {
    const ops::PackedWeight packed = source_.packed(name, shape);
    if (packed.defined()) {
      require(packed.shape() == shape, ErrorKind::shape, "parameter {} should be {}, the source has {}", name, shape,
              packed.shape());
      packed_.push_back({name, packed});
      return {{}, packed};
    }
  }
  const Tensor value = read(name, shape, true);
  parameters_.push_back({.name = name, .value = value});
  return {value, {}};
}

ParameterTap::ParameterTap(Visit visit) : visit_(std::move(visit)), outer_(std::exchange(active_tap, &visit_)) {}
ParameterTap::~ParameterTap() { active_tap = outer_; }
bool ParameterTap::active() { return active_tap != nullptr; }

const Parameter& ParameterStore::find(std::string_view name) const {
  const auto found =
      std::find_if(parameters_.begin(), parameters_.end(), [&](const Parameter& p) { return p.name == name; });
  require(found != parameters_.end(), ErrorKind::not_found, "there is no parameter {}", name);
  return *found;
}

int64_t ParameterStore::total_elements() const {
  int64_t total = 0;
  for (const Parameter& parameter : parameters_) total += parameter.value.elements();
  for (const PackedParameter& parameter : packed_) total += parameter.value.shape().elements();
  return total;
}

int64_t ParameterStore::set_trainable(const std::vector<std::string>& patterns, bool trainable) {
  int64_t matched = 0;
  for (Parameter& parameter : parameters_) {
    const bool hit = std::any_of(patterns.begin(), patterns.end(),
                                 [&](const std::string& pattern) { return matches_pattern(pattern, parameter.name); });
    if (!hit) continue;
    require(!trainable || parameter.value.dtype() == DType::f32, ErrorKind::unsupported,
            "parameter {} is {}; only f32 parameters train", parameter.name, name_of(parameter.value.dtype()));
    parameter.value.set_requires_grad(trainable);
    ++matched;
  }
  return matched;
}

void ParameterStore::clear_grads() {
  for (Parameter& parameter : parameters_) parameter.value.clear_grad();
}

bool matches_pattern(std::string_view pattern, std::string_view name) {
  // Greedy with one step back: to the last `*`, which then takes one character more.
  size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace sensorium::nn
