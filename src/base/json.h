// JSON: nlohmann's type, and readers whose errors name the key, the type found and the type wanted.
#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sensorium {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;  // keeps the order of insertion: for what people read

// Parses untrusted text. Refuses nesting deeper than 100 levels. The error gives the byte offset.
Result<Json> parse_json(std::string_view text);
// Reads and parses a file; throws Error with the path as context.
Json read_json_file(const std::filesystem::path& path);

// The object without the members that are null: published configurations write null where they mean the default.
Json without_nulls(Json object);

// One member of an object, typed: `ConfigReader reader(json, "config.json"); int d = reader.get<int64_t>("width");`
// Every key that was read is remembered; finish() throws on the others and suggests the nearest known key.
class ConfigReader {
 public:
  // `fault`: the kind of every error that it throws. Files of models and runs hold invalid data; what a person writes, a
  // recipe, is wrong usage.
  ConfigReader(const Json& object, std::string where, ErrorKind fault = ErrorKind::invalid_data);

  bool has(std::string_view key);
  // Throws Error: missing key, wrong type, integer out of range. T: bool, int64_t, double, std::string, std::vector of
  // those.
  template <typename T>
  T get(std::string_view key);
  template <typename T>
  T get_or(std::string_view key, T fallback) {
    return has(key) ? get<T>(key) : fallback;
  }
  // An integer within low..high.
  int64_t get_int(std::string_view key, int64_t low, int64_t high);
  int64_t get_int_or(std::string_view key, int64_t fallback, int64_t low, int64_t high) {
    return has(key) ? get_int(key, low, high) : fallback;
  }
  // The nested object or array; an empty object if absent.
  const Json& child(std::string_view key);
  // Throws Error if a key was never asked for.
  void finish() const;

 private:
  const Json& object_;
  std::string where_;
  ErrorKind fault_;
  std::vector<std::string> known_;
};

// The candidate nearest to `word` by edit distance, or "" if none is near: for "did you mean ...?".
std::string nearest_match(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace sensorium
