// JSON of any bytes gives an error, or a value that survives being written and read again; the same bytes as a recipe give
// an Error or a value.
// Seeds: recipes
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/json.h"
#include "io/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sensorium;  // NOLINT
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto json = parse_json(text)) {
    if (parse_json(json.value().dump()).value() != json.value()) std::abort();
  }
  try {
    Json recipe = io::yaml_to_json(text, "recipe");
    io::apply_overrides(recipe, {std::string(text)});
  } catch (const Error&) {
  }
  return 0;
}
