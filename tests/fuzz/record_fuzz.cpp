// A record of any bytes gives an error, or a record with as many pictures as its messages show.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "data/record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sensorium;  // NOLINT
  const auto json = parse_json(std::string_view(reinterpret_cast<const char*>(data), size));
  if (json) (void)data::parse_record(json.value(), "folder", "file:1");
  return 0;
}
