// The golden arrays of sound: tools/golden/audio_features.py makes them.
#pragma once

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"

namespace sensorium {

inline std::filesystem::path golden_audio_folder() {
  return std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests" / "golden" / "audio";
}
inline Json golden_audio_index() { return Json::parse(read_file(golden_audio_folder() / "index.json")); }
inline std::vector<float> golden_audio_array(const std::string& name) {
  const std::string bytes = read_file(golden_audio_folder() / (name + ".raw"));
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace sensorium
