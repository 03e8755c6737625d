// YAML recipes as JSON values, and key=value overrides.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace sensorium::io {

// Plain scalars become null, booleans, integers or floats by the core schema of YAML 1.2; quoted ones stay strings.
// Anchors and aliases work; a key that stands twice is an error. Throws Error(usage) with file and line.
Json yaml_file_to_json(const std::filesystem::path& path);
Json yaml_to_json(std::string_view text, const std::string& where);

// "a.b=value" sets json["a"]["b"]; the value is typed as in a recipe ("3", "true", "[x, y]", "name"). "a.0.b=..."
// reaches into a list. Throws Error(usage) for an override without "=", or one that leads into something that is
// neither object nor list.
void apply_overrides(Json& json, const std::vector<std::string>& overrides);

}  // namespace sensorium::io
