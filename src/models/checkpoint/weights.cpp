#include "models/checkpoint/weights.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "models/checkpoint/packed.h"
#include "ops/ops.h"

namespace sensorium::models {
namespace {

// What `*` and the rest behind the pattern stand for in a name.
struct Match {
  std::string number, suffix;
};

std::optional<Match> match(std::string_view pattern, std::string_view name) {
  Match found;
  const size_t star = pattern.find('*');
  if (star != std::string_view::npos) {
    if (!name.starts_with(pattern.substr(0, star))) return std::nullopt;
    size_t end = star;
    while (end < name.size() && std::isdigit(static_cast<unsigned char>(name[end]))) ++end;
    if (end == star) return std::nullopt;
    found.number = name.substr(star, end - star);
    name.remove_prefix(end);
    pattern.remove_prefix(star + 1);
  }
  if (!name.starts_with(pattern)) return std::nullopt;
  name.remove_prefix(pattern.size());
  if (!name.empty() && name[0] != '.') return std::nullopt;
  found.suffix = name;
  return found;
}

std::string with_number(std::string name, const std::string& number) {
  const size_t star = name.find('*');
  return star == std::string::npos ? name : name.replace(star, 1, number);
}

}  // namespace

CheckpointWeights::CheckpointWeights(const std::filesystem::path& directory)
    : where_(directory.string()), files_(io::CheckpointFolder::open(directory)) {}

void CheckpointWeights::map(std::string our_prefix, std::vector<std::string> their_prefixes,
                            std::vector<NameRule> rules) {
  sections_.push_back({std::move(our_prefix), std::move(their_prefixes), std::move(rules)});
}

std::vector<std::string> CheckpointWeights::locate(const std::string& name) const {
  if (files_.contains(name)) return {name};  // a quantised folder has this program's own names
  std::vector<std::string> first;
  for (const Section& section : sections_) {
    if (!name.starts_with(section.our_prefix)) continue;
    for (const NameRule& rule : section.rules) {
      const std::optional<Match> found = match(rule.ours, std::string_view(name).substr(section.our_prefix.size()));
      if (!found) continue;
      for (const std::string& prefix : section.their_prefixes) {
        std::vector<std::string> names;
        for (const std::string& theirs : rule.theirs) {
          names.push_back(prefix + with_number(theirs, found->number) + found->suffix);
        }
        if (std::all_of(names.begin(), names.end(), [&](const std::string& n) { return files_.contains(n); }))
          return names;
        if (first.empty()) first = std::move(names);
      }
    }
  }
  require(!first.empty(), ErrorKind::unsupported, "{}: no rule says where parameter {} is kept", where_, name);
  return first;
}

Tensor CheckpointWeights::read(const std::string& name, const Shape& shape) {
  std::vector<Tensor> parts;
  std::vector<std::string> shapes;
  for (const std::string& theirs : locate(name)) {
    require(files_.contains(theirs), ErrorKind::invalid_data, "{}: tensor {} is missing ({} is made of it)", where_,
            theirs, name);
    const Tensor part = files_.tensor(theirs);
    require(is_float(part.dtype()), ErrorKind::unsupported, "{}: tensor {} is {}, expected f32, bf16 or f16", where_,
            theirs, name_of(part.dtype()));
    parts.push_back(part);
    shapes.push_back(fmt::format("{} {}", theirs, part.shape()));
    read_.insert(theirs);
  }
  int64_t rows = 0;
  bool fits = true, same = true;
  for (const Tensor& part : parts) {
    fits = fits && part.rank() == shape.rank() &&
           (shape.rank() == 0 || std::ranges::equal(part.shape().dims().subspan(1), shape.dims().subspan(1)));
    same = same && part.dtype() == parts[0].dtype();
    rows += part.rank() == 0 ? 0 : part.dim(0);
  }
  require(fits && (shape.rank() == 0 || rows == shape[0]), ErrorKind::invalid_data,
          "{}: the shape of tensor {} does not fit config.json, which makes {} {}", where_, fmt::join(shapes, ", "),
          name, shape);
  if (!same) {
    for (Tensor& part : parts) part = part.to(DType::f32);
  }
  const Tensor whole = parts.size() == 1 ? parts[0] : ops::concat_rows(parts);
  return shape.rank() < 2 ? whole.to(DType::f32) : whole;
}

ops::PackedWeight CheckpointWeights::read_packed(const std::string& name, const Shape& shape) {
  const auto found = find_packed(name, [this](const std::string& theirs) { return files_.contains(theirs); });
  if (!found) return {};
  read_.insert(found->name);
  try {
    return view_packed_tensor(*found, files_.tensor(found->name), shape);
  } catch (const Error& error) {
    throw error.with_context(where_);
  }
}

nn::ParameterStore::Source CheckpointWeights::source() {
  return {[this](const std::string& name, const Shape& shape) { return read(name, shape); },
          [this](const std::string& name, const Shape& shape) { return read_packed(name, shape); }};
}

void CheckpointWeights::require_all_read() const {
  for (const std::string& name : files_.names()) {
    const bool known = read_.contains(name) || std::any_of(ignored_.begin(), ignored_.end(), [&](const std::string& p) {
                         return nn::matches_pattern(p, name);
                       });
    require(known, ErrorKind::invalid_data, "{}: tensor {} {} is not part of the model that config.json describes",
            where_, name, files_.tensor(name).shape());
  }
}

}  // namespace sensorium::models
