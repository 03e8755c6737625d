// How the golden files of tokenizers write texts and ids.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"

namespace sensorium::text {

inline std::string expand(const Json& item) {
  if (item.is_string()) return item.get<std::string>();
  std::string out;
  for (int64_t i = 0; i < item["count"].get<int64_t>(); ++i) out += item["repeat"].get<std::string>();
  return out;
}

inline std::string fnv1a(std::span<const int32_t> ids) {
  uint64_t value = 0xCBF29CE484222325u;
  for (const int32_t id : ids) {
    for (int shift = 0; shift < 32; shift += 8) {
      value = (value ^ (static_cast<uint32_t>(id) >> shift & 0xFF)) * 0x100000001B3u;
    }
  }
  return fmt::format("{:016x}", value);
}

inline void expect_ids(const std::vector<int32_t>& ids, const Json& expected, const std::string& what) {
  if (expected.is_array()) {
    EXPECT_EQ(ids, expected.get<std::vector<int32_t>>()) << what;
  } else {
    EXPECT_EQ(ids.size(), expected["count"].get<size_t>()) << what;
    EXPECT_EQ(fnv1a(ids), expected["fnv1a"].get<std::string>()) << what;
  }
}

}  // namespace sensorium::text
