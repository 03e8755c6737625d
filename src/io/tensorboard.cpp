#include "io/tensorboard.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>

#include "base/error.h"

namespace sensorium::io {
namespace {

// Protocol buffers: a field's key is (number << 3) | wire type; 0 varint, 1 64 bits, 2 length-delimited, 5 32 bits.
void put_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

template <typename T>
void put_raw(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

void put_bytes(std::string& out, int field, std::string_view bytes) {
  put_varint(out, static_cast<uint64_t>(field << 3 | 2));
  put_varint(out, bytes.size());
  out += bytes;
}

std::string event_head(double wall_time) {
  std::string event;
  put_varint(event, 1 << 3 | 1);  // Event.wall_time
  put_raw(event, wall_time);
  return event;
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0u);
    table[i] = crc;
  }
  return table;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = make_crc_table();
  uint32_t crc = 0xFFFFFFFFu;
  for (const char byte : bytes) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xFF];
  return ~crc;
}

uint32_t masked_crc32c(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

std::string encode_scalar_event(double wall_time, std::string_view tag, int64_t step, float value) {
  std::string point;
  put_bytes(point, 1, tag);       // Summary.Value.tag
  put_varint(point, 2 << 3 | 5);  // Summary.Value.simple_value
  put_raw(point, value);
  std::string summary;
  put_bytes(summary, 1, point);  // Summary.value
  std::string event = event_head(wall_time);
  if (step != 0) {                  // proto3 leaves defaults out
    put_varint(event, 2 << 3 | 0);  // Event.step
    put_varint(event, static_cast<uint64_t>(step));
  }
  put_bytes(event, 5, summary);  // Event.summary
  return event;
}

std::string encode_record(std::string_view message) {
  std::string record;
  put_raw(record, static_cast<uint64_t>(message.size()));
  put_raw(record, masked_crc32c(record));
  record += message;
  put_raw(record, masked_crc32c(message));
  return record;
}

EventWriter::EventWriter(const std::filesystem::path& directory) {
  char host[256] = {};
  if (::gethostname(host, sizeof(host) - 1) != 0) std::strcpy(host, "localhost");
  path_ = directory / fmt::format("events.out.tfevents.{:.0f}.{}.{}", now_seconds(), host, ::getpid());
  file_.open(path_, std::ios::binary | std::ios::app);
  require(file_.good(), ErrorKind::io, "{}: cannot write", path_.string());
  std::string event = event_head(now_seconds());
  put_bytes(event, 3, "brain.Event:2");  // Event.file_version
  record(event);
}

void EventWriter::scalar(std::string_view tag, int64_t step, float value) {
  record(encode_scalar_event(now_seconds(), tag, step, value));
}

void EventWriter::record(const std::string& event) {
  const std::string bytes = encode_record(event);
  file_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file_.flush();
  require(file_.good(), ErrorKind::io, "{}: cannot write (is the disk full?)", path_.string());
}

}  // namespace sensorium::io
