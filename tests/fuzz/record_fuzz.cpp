// A record of any JSON gives an error that starts with its place, or a record.
// Seeds: tests/golden/data
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/json.h"
#include "data/record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sensorium;  // NOLINT
  const auto json = parse_json(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!json) return 0;
  const auto record = data::parse_record(json.value(), "folder", "file:1");
  if (!record && !record.error().message().starts_with("file:1: ")) std::abort();
  return 0;
}
