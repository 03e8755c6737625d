// TensorBoard event files with scalars: TFRecord framing around hand-encoded Event messages
// (tensorflow/core/util/event.proto).
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

namespace sensorium::io {

// CRC-32C (Castagnoli), and the masked form that TFRecord stores.
uint32_t crc32c(std::string_view bytes);
uint32_t masked_crc32c(std::string_view bytes);

class EventWriter {
 public:
  // Creates events.out.tfevents.<time>.<host>.<process> in `directory`. Throws Error(io).
  explicit EventWriter(const std::filesystem::path& directory);
  // A point of the curve `tag` at the current time; reaches the file at once.
  void scalar(std::string_view tag, int64_t step, float value);
  const std::filesystem::path& path() const { return path_; }

 private:
  void record(const std::string& event);

  std::filesystem::path path_;
  std::ofstream file_;
};

// The bytes of one Event message, for tests: wall_time in seconds.
std::string encode_scalar_event(double wall_time, std::string_view tag, int64_t step, float value);
// The bytes of one TFRecord around a message.
std::string encode_record(std::string_view message);

}  // namespace sensorium::io
