#include "models/checkpoint/names.h"

#include <cctype>

namespace sensorium::models {

std::optional<std::string> rename(std::string_view from, std::string_view to, std::string_view name) {
  std::string number;
  if (const size_t star = from.find('*'); star != std::string_view::npos) {
    if (!name.starts_with(from.substr(0, star))) return std::nullopt;
    size_t end = star;
    while (end < name.size() && std::isdigit(static_cast<unsigned char>(name[end]))) ++end;
    if (end == star) return std::nullopt;
    number = name.substr(star, end - star);
    name.remove_prefix(end);
    from.remove_prefix(star + 1);
  }
  if (!name.starts_with(from)) return std::nullopt;
  name.remove_prefix(from.size());
  if (!name.empty() && name[0] != '.') return std::nullopt;
  std::string result(to);
  if (const size_t star = result.find('*'); star != std::string::npos) result.replace(star, 1, number);
  return result.append(name);
}

std::optional<std::string> to_ours(std::span<const NamePair> pairs, std::string_view name) {
  for (const NamePair& pair : pairs) {
    if (auto found = rename(pair.theirs, pair.ours, name)) return found;
  }
  return std::nullopt;
}

std::optional<std::string> to_theirs(std::span<const NamePair> pairs, std::string_view name) {
  for (const NamePair& pair : pairs) {
    if (auto found = rename(pair.ours, pair.theirs, name)) return found;
  }
  return std::nullopt;
}

}  // namespace sensorium::models
