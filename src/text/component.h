// The members of a tokenizer.json component, read with errors that name the component and the key.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace sensorium::text {

// "Split" of {"type": "Split", ...}. Throws Error(invalid_data).
std::string component_type(const Json& component, std::string_view what);

// The member, or nullptr if it is absent or null.
const Json* find_member(const Json& object, std::string_view key);

// Each throws Error(invalid_data) if the member is absent (those without `fallback`) or has another type.
const Json& get_array(const Json& object, std::string_view key);
std::string get_string(const Json& object, std::string_view key);
std::string get_string(const Json& object, std::string_view key, std::string_view fallback);
bool get_flag(const Json& object, std::string_view key, bool fallback);
int64_t get_count(const Json& object, std::string_view key, int64_t fallback, int64_t most);

// A member that must hold exactly one character; its UTF-8 bytes.
std::string get_character(const Json& object, std::string_view key);

[[noreturn]] void unsupported_component(std::string_view what, std::string_view type);

// How deep "Sequence" may stand inside "Sequence".
inline constexpr int kMaxComponentDepth = 8;

}  // namespace sensorium::text
