#include "models/checkpoint/weights.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "base/memory.h"
#include "models/adapter/adapter.h"
#include "models/checkpoint/canonical_name.h"
#include "models/checkpoint/names.h"
#include "models/checkpoint/packed.h"
#include "ops/ops.h"

namespace sensorium::models {
namespace {

int64_t bytes_of(const Shape& shape, DType dtype) { return shape.elements() * static_cast<int64_t>(size_of(dtype)); }

// "3 tensors are missing: a, b and 1 more"
std::string listed(const char* one, const char* many, const std::vector<std::string>& names, int64_t most) {
  const size_t shown = std::min(names.size(), static_cast<size_t>(std::max<int64_t>(most, 1)));
  std::string text = fmt::format("{} {}: {}", names.size(), names.size() == 1 ? one : many,
                                 fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (shown < names.size()) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

// The shape without the ones that it begins with, down to `rank`: files may hold a vector as [1, 1, C].
Shape without_leading_ones(const Shape& shape, int rank) {
  std::span<const int64_t> dims = shape.dims();
  while (static_cast<int>(dims.size()) > rank && dims.front() == 1) dims = dims.subspan(1);
  return Shape(dims);
}

}  // namespace

CheckpointWeights::CheckpointWeights(const Checkpoint& checkpoint)
    : path_(checkpoint.path().string()),
      config_where_(checkpoint.where()),
      listed_faults_(checkpoint.options().listed_faults),
      memory_limit_(checkpoint.options().memory_limit),
      trained_(checkpoint.options().trained),
      files_(checkpoint.weights()),
      adapter_(checkpoint.beside()) {}

void CheckpointWeights::map(std::string our_prefix, std::vector<std::string> their_prefixes,
                            std::vector<NameRule> rules) {
  sections_.push_back({std::move(our_prefix), std::move(their_prefixes), std::move(rules)});
}

std::vector<std::string> CheckpointWeights::locate(const std::string& name) const {
  if (files_.contains(name)) return {name};  // a quantised folder has this program's own names
  return published_names_of(name);
}

std::vector<std::string> CheckpointWeights::published_names_of(const std::string& name) const {
  std::vector<std::string> first;
  for (const Section& section : sections_) {
    if (!name.starts_with(section.our_prefix)) continue;
    const std::string_view rest = std::string_view(name).substr(section.our_prefix.size());
    for (const NameRule& rule : section.rules) {
      std::vector<std::string> theirs;
      for (const std::string& module : rule.theirs) {
        if (auto found = rename(rule.ours, module, rest)) theirs.push_back(std::move(*found));
      }
      if (theirs.empty()) continue;
      for (const std::string& prefix : section.their_prefixes) {
        std::vector<std::string> names;
        for (const std::string& module : theirs) names.push_back(prefix + module);
        if (std::all_of(names.begin(), names.end(), [&](const std::string& n) { return files_.contains(n); }))
          return names;
        if (first.empty()) first = std::move(names);
      }
    }
  }
  require(!first.empty(), ErrorKind::unsupported, "{}: no rule says where parameter {} is kept", path_, name);
  return first;
}

bool CheckpointWeights::trains(const std::string& name) const {
  return std::ranges::any_of(trained_, [&](const std::string& p) { return nn::matches_pattern(p, name); });
}

std::string CheckpointWeights::packed_name_of(const std::string& parameter) const {
  const auto found = find_packed(parameter, [this](const std::string& theirs) { return files_.contains(theirs); });
  return found ? found->name : "";
}

Tensor CheckpointWeights::from_adapter(const std::string& name) const {
  if (adapter_ == nullptr || adapter_->whole().empty()) return {};
  const auto found = adapter_->whole().find(canonical_name(published_names_of(name)[0]));
  return found == adapter_->whole().end() ? Tensor() : found->second;
}

Tensor CheckpointWeights::unpacked(const std::string& name, const Shape& shape) {
  return ops::unpack(packed_weight(name, shape), DType::f32);
}

Tensor CheckpointWeights::plan(const std::string& name, const Shape& shape) {
  if (trains(name)) {
    // The value, its gradient and the optimizer's two moments.
    needs_.training += 4 * bytes_of(shape, DType::f32);
    if (const std::string packed = packed_name_of(name); !packed.empty()) {
      planned_.insert(packed);
      return Tensor::borrow(this, shape, DType::f32, nullptr);
    }
  }
  if (const Tensor value = from_adapter(name); value.defined()) {
    const std::string packed = packed_name_of(name);
    planned_.insert(packed.empty() ? name : packed);
    if (value.shape() != shape) {
      faults_.misshapen.push_back(fmt::format("{} {} of the adapter, where {} would make {} {}", name, value.shape(),
                                              config_where_, name, shape));
    }
    return Tensor::borrow(this, shape, DType::f32, nullptr);
  }
  std::vector<const TensorFiles::Entry*> parts;
  std::vector<std::string> described;
  bool complete = true;
  for (const std::string& theirs : locate(name)) {
    planned_.insert(theirs);
    if (!files_.contains(theirs)) {
      faults_.missing.push_back(files_.spelled(theirs));
      complete = false;
      continue;
    }
    const TensorFiles::Entry& entry = files_.find(theirs);
    require(is_float(entry.dtype), ErrorKind::unsupported, "{}: tensor {} is {}, expected f32, bf16 or f16", path_,
            entry.file_name, name_of(entry.dtype));
    parts.push_back(&entry);
    described.push_back(fmt::format("{} {}", entry.file_name, entry.shape));
  }
  if (complete) {
    int64_t rows = 0, bytes = 0;
    bool fits = true, same = true, copies = parts.size() > 1;
    for (const TensorFiles::Entry* part : parts) {
      const Shape given = without_leading_ones(part->shape, shape.rank());
      fits = fits && given.rank() == shape.rank() &&
             (shape.rank() == 0 || std::ranges::equal(given.dims().subspan(1), shape.dims().subspan(1)));
      same = same && part->dtype == parts[0]->dtype;
      rows += given.rank() == 0 ? 0 : given[0];
      bytes += bytes_of(part->shape, part->dtype);
      copies = copies || !part->mapped;
      if (!part->mapped && parts.size() > 1) {
        needs_.temporary = std::max(needs_.temporary, bytes_of(shape, part->dtype));
      }
    }
    if (!fits || (shape.rank() != 0 && rows != shape[0])) {
      faults_.misshapen.push_back(
          fmt::format("{}, where {} would make {} {}", fmt::join(described, ", "), config_where_, name, shape));
    }
    if (trains(name)) {
      needs_.temporary = std::max(needs_.temporary, bytes);
    } else if (!blocks_of(name, shape).empty()) {
      needs_.copied += bytes_of(shape, DType::bf16);
    } else {
      (copies || shape.rank() < 2 ? needs_.copied : needs_.mapped) +=
          copies && !same ? bytes_of(shape, DType::f32) : bytes;
    }
  }
  // Nobody reads it; the address only has to be one.
  return Tensor::borrow(this, shape, DType::f32, nullptr);
}

Tensor CheckpointWeights::read(const std::string& name, const Shape& shape) {
  const bool own = trains(name);
  if (const Tensor value = from_adapter(name); value.defined()) return value.to(DType::f32);
  if (own && !packed_name_of(name).empty()) return unpacked(name, shape);
  if (const MatrixParts blocks = blocks_of(name, shape); !blocks.empty()) return unpack_to_brain(blocks, shape);
  std::vector<Tensor> parts;
  for (const std::string& theirs : locate(name)) parts.push_back(files_.read(theirs));
  const bool same =
      std::all_of(parts.begin(), parts.end(), [&](const Tensor& part) { return part.dtype() == parts[0].dtype(); });
  if (!same) {
    for (Tensor& part : parts) part = part.to(DType::f32);
  }
  for (Tensor& part : parts) part = part.reshape(without_leading_ones(part.shape(), shape.rank()));
  const Tensor whole = parts.size() == 1 ? parts[0] : ops::concat_rows(parts);
  if (own && whole.dtype() == DType::f32) return whole.clone();
  return own || shape.rank() < 2 ? whole.to(DType::f32) : whole;
}

ops::PackedWeight CheckpointWeights::read_packed(const std::string& name, const Shape& shape) {
  if (trains(name) || from_adapter(name).defined()) return {};
  ops::PackedWeight packed = packed_weight(name, shape);
  if (packed.defined()) return packed;
  const MatrixParts blocks = blocks_of(name, shape);
  return blocks.empty() ? ops::PackedWeight() : repack(blocks, shape);
}

ops::PackedWeight CheckpointWeights::plan_packed(const std::string& name, const Shape& shape) {
  const MatrixParts blocks = blocks_of(name, shape);
  if (blocks.empty()) return read_packed(name, shape);
  for (const std::string& theirs : locate(name)) planned_.insert(theirs);
  const int64_t bytes = repacked_bytes(blocks, shape);
  needs_.copied += bytes;
  return {repacked_layout(blocks, shape), Tensor::borrow(this, {bytes}, DType::u8, nullptr)};
}

MatrixParts CheckpointWeights::blocks_of(const std::string& name, const Shape& shape) const {
  if (shape.rank() != 2 || streams_ || trains(name) || from_adapter(name).defined()) return {};
  if (!packed_name_of(name).empty()) return {};
  MatrixParts parts;
  int64_t rows = 0;
  for (const std::string& theirs : locate(name)) {
    if (!files_.contains(theirs)) return {};
    const TensorFiles::Entry& entry = files_.find(theirs);
    if (entry.shape.rank() != 2 || entry.shape[1] != shape[1]) return {};
    rows += entry.shape[0];
    parts.push_back(&entry);
  }
  return rows == shape[0] && repacked_type(parts) ? parts : MatrixParts();
}

ops::PackedWeight CheckpointWeights::packed_weight(const std::string& name, const Shape& shape) {
  const auto found = find_packed(name, [this](const std::string& theirs) { return files_.contains(theirs); });
  if (!found) return {};
  planned_.insert(found->name);
  try {
    return view_packed_tensor(*found, files_.read(found->name), shape);
  } catch (const Error& error) {
    throw error.with_context(path_);
  }
}

nn::ParameterStore CheckpointWeights::load(const std::function<void(nn::ParameterStore& store)>& build,
                                           int64_t cache_bytes) {
  const auto packed = [this](const std::string& name, const Shape& shape) { return read_packed(name, shape); };
  streams_ = nn::ParameterTap::active();  // one tensor is in memory at a time
  {
    // The tap is for tensors that hold something.
    const nn::ParameterTap none([](const std::string&, const Shape&, nn::ParameterTap::Role,
                                   const std::function<Tensor()>& read) { return read(); });
    nn::ParameterStore planned(
        {[this](const std::string& name, const Shape& shape) { return plan(name, shape); },
         [this](const std::string& name, const Shape& shape) { return plan_packed(name, shape); }});
    build(planned);
  }
  find_unexpected();
  require_no_faults();
  if (!streams_) require_memory(cache_bytes);
  nn::ParameterStore store({[this](const std::string& name, const Shape& shape) { return read(name, shape); }, packed});
  build(store);
  store.forget_source();
  return store;
}

void CheckpointWeights::find_unexpected() {
  for (const auto& [name, entry] : files_.entries()) {
    const bool known = planned_.contains(name) ||
                       std::any_of(ignored_.begin(), ignored_.end(), [&name = name](const std::string& pattern) {
                         return nn::matches_pattern(pattern, name);
                       });
    if (!known) faults_.unexpected.push_back(fmt::format("{} {}", entry.file_name, entry.shape));
  }
}

void CheckpointWeights::require_no_faults() const {
  std::vector<std::string> faults;
  if (!faults_.missing.empty()) {
    faults.push_back(listed("tensor is missing", "tensors are missing", faults_.missing, listed_faults_));
  }
  if (!faults_.misshapen.empty()) {
    faults.push_back(
        listed("tensor has another shape", "tensors have other shapes", faults_.misshapen, listed_faults_));
  }
  if (!faults_.unexpected.empty()) {
    faults.push_back(listed("tensor is not part of the model", "tensors are not part of the model", faults_.unexpected,
                            listed_faults_));
  }
  require(faults.empty(), ErrorKind::invalid_data, "{}: the weights are not those of the model that {} describes: {}",
          path_, config_where_, fmt::join(faults, "; "));
}

void CheckpointWeights::require_memory(int64_t cache_bytes) const {
  const std::optional<int64_t> available = memory_limit_ > 0 ? std::optional(memory_limit_) : available_memory();
  if (needs_.training > 0) {
    const int64_t training = needs_.copied + needs_.temporary + needs_.training;
    require(!available || training <= *available, ErrorKind::limit,
            "{}: needs {} of memory beside the activations ({} for the {:.1f} million parameters that train, their "
            "gradients "
            "and moments); {} are available: train fewer, for example by \"lora\"",
            path_, bytes_text(training), bytes_text(needs_.training), static_cast<double>(needs_.training) / 16e6,
            bytes_text(available.value_or(0)));
    return;
  }
  const int64_t needed = needs_.copied + needs_.temporary + cache_bytes;
  require(
      !available || needed <= *available, ErrorKind::limit,
      "{}: needs {} of memory ({} for weights that cannot stay in the file, {} for the conversation) beside {} that "
      "stay in the file; {} are available",
      path_, bytes_text(needed), bytes_text(needs_.copied + needs_.temporary), bytes_text(cache_bytes),
      bytes_text(needs_.mapped), bytes_text(available.value_or(0)));
}

}  // namespace sensorium::models
