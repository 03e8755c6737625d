#include "text/component.h"

#include "base/utf8.h"

namespace sensorium::text {
namespace {

[[noreturn]] void wrong_type(std::string_view key, std::string_view wanted, const Json& found) {
  fail(ErrorKind::invalid_data, "\"{}\": expected {}, found {}", key, wanted, found.type_name());
}

const Json& get_member(const Json& object, std::string_view key) {
  const Json* member = find_member(object, key);
  require(member != nullptr, ErrorKind::invalid_data, "\"{}\" is missing", key);
  return *member;
}

}  // namespace

const Json* find_member(const Json& object, std::string_view key) {
  if (!object.is_object()) fail(ErrorKind::invalid_data, "expected an object, found {}", object.type_name());
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string component_type(const Json& component, std::string_view what) {
  require(component.is_object(), ErrorKind::invalid_data, "{}: expected an object, found {}", what,
          component.type_name());
  return get_string(component, "type");
}

const Json& get_array(const Json& object, std::string_view key) {
  const Json& member = get_member(object, key);
  if (!member.is_array()) wrong_type(key, "an array", member);
  return member;
}

std::string get_string(const Json& object, std::string_view key) {
  const Json& member = get_member(object, key);
  if (!member.is_string()) wrong_type(key, "a string", member);
  return member.get<std::string>();
}

std::string get_string(const Json& object, std::string_view key, std::string_view fallback) {
  return find_member(object, key) != nullptr ? get_string(object, key) : std::string(fallback);
}

bool get_flag(const Json& object, std::string_view key, bool fallback) {
  const Json* member = find_member(object, key);
  if (member == nullptr) return fallback;
  if (!member->is_boolean()) wrong_type(key, "true or false", *member);
  return member->get<bool>();
}

int64_t get_count(const Json& object, std::string_view key, int64_t fallback, int64_t most) {
  const Json* member = find_member(object, key);
  if (member == nullptr) return fallback;
  if (!member->is_number_unsigned()) wrong_type(key, "a whole number from 0", *member);
  const auto count = member->get<uint64_t>();
  require(count <= static_cast<uint64_t>(most), ErrorKind::invalid_data, "\"{}\" is {}, at most {} is allowed", key,
          count, most);
  return static_cast<int64_t>(count);
}

std::string get_character(const Json& object, std::string_view key) {
  std::string text = get_string(object, key);
  char32_t character = 0;
  require(!text.empty() && decode_utf8(text, character) == static_cast<int>(text.size()), ErrorKind::invalid_data,
          "\"{}\" must be one character, found \"{}\"", key, text);
  return text;
}

void unsupported_component(std::string_view what, std::string_view type) {
  fail(ErrorKind::unsupported, "{} of type \"{}\" is not supported", what, type);
}

}  // namespace sensorium::text
