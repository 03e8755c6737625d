// Names of modules and tensors that differ between layouts of the same model.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sensorium::models {

// A module or tensor under two names. A `*` stands for the number of a layer, the same on both sides; what follows the
// module's name (".weight", ".bias") is the same too.
struct NamePair {
  const char* ours;
  const char* theirs;
};

// `name` by the pattern that it fits, written in the other one; none if it does not fit.
std::optional<std::string> rename(std::string_view from, std::string_view to, std::string_view name);
// By the first pair that fits.
std::optional<std::string> to_ours(std::span<const NamePair> pairs, std::string_view name);
std::optional<std::string> to_theirs(std::span<const NamePair> pairs, std::string_view name);

}  // namespace sensorium::models
