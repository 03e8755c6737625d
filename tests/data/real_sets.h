// Where the open data sets are (docs/data.md); tests that want them skip where they are not.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace sensorium::data {

inline std::filesystem::path real_sets() {
  const char* given = std::getenv("SENSORIUM_DATA");
  return given != nullptr ? std::filesystem::path(given)
                          : std::filesystem::path(SENSORIUM_SOURCE_DIR "/../shared/data");
}

}  // namespace sensorium::data
