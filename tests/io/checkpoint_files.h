// What the tests of checkpoint formats share: the golden files, bytes in memory, and archives built by hand.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "io/safetensors.h"

namespace sensorium::io {

inline const std::filesystem::path kCheckpoints = SENSORIUM_SOURCE_DIR "/tests/golden/io/checkpoints";

// Parses a copy of `bytes` of exactly their length, so that a sanitizer sees a read past the end.
template <typename File>
Result<File> parse_copy(const std::string& bytes) {
  auto owner = std::make_shared<std::vector<std::byte>>(bytes.size());
  if (!bytes.empty()) std::memcpy(owner->data(), bytes.data(), bytes.size());
  return File::parse(*owner, owner);
}

// The message of the error, or "ok".
template <typename File>
std::string verdict_of(const std::string& bytes) {
  const auto file = parse_copy<File>(bytes);
  return file ? "ok" : file.error().message();
}

inline void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "\"" << text << "\" does not contain \"" << part << "\"";
}

// Reads every element of every tensor; returns something that depends on all of them.
template <typename File>
unsigned touch(const File& file) {
  unsigned sum = 0;
  for (const std::string& name : file.names()) {
    const Tensor tensor = file.tensor(name);
    const auto* bytes = static_cast<const unsigned char*>(tensor.raw());
    for (size_t i = 0; i < tensor.bytes(); ++i) sum = sum * 31 + bytes[i];
  }
  return sum;
}

// Every file cut short and with one bit changed is an error or can be read: nothing crashes, nothing hangs. Returns how
// many of the changed files still parse.
template <typename File>
int damage(const std::string& whole, size_t least_bytes) {
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto file = parse_copy<File>(whole.substr(0, size));
    EXPECT_TRUE(size >= least_bytes || !file.ok()) << "cut to " << size << " bytes";
    if (file) touch(file.value());
  }
  int readable = 0;
  for (size_t i = 0; i < whole.size() * 8; ++i) {
    if (i / 8 > 4096 && i % 8 != i / 8 % 8) continue;
    std::string changed = whole;
    changed[i / 8] = static_cast<char>(changed[i / 8] ^ (1 << i % 8));
    const auto file = parse_copy<File>(changed);
    if (file) touch(file.value()), ++readable;
  }
  return readable;
}

// The tensors equal those of a safetensors file, bit for bit.
template <typename File>
void expect_same_tensors(const File& file, const std::filesystem::path& expected_path) {
  const SafetensorsFile expected = SafetensorsFile::open(expected_path);
  EXPECT_EQ(file.names().size(), expected.names().size());
  for (const std::string& name : expected.names()) {
    ASSERT_TRUE(file.contains(name)) << name;
    const Tensor got = file.tensor(name), want = expected.tensor(name);
    ASSERT_EQ(got.shape(), want.shape()) << name;
    ASSERT_EQ(got.dtype(), want.dtype()) << name;
    EXPECT_EQ(std::string_view(static_cast<const char*>(got.raw()), got.bytes()),
              std::string_view(static_cast<const char*>(want.raw()), want.bytes()))
        << name;
  }
}

template <typename T>
std::string raw(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(T));
}

// A ZIP archive of stored entries, the smallest that the format allows.
inline std::string stored_zip(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string archive, directory;
  for (const auto& [name, data] : entries) {
    const auto size = static_cast<uint32_t>(data.size());
    const std::string sizes = raw(uint32_t{0}) + raw(size) + raw(size) + raw(static_cast<uint16_t>(name.size()));
    directory += raw(uint32_t{0x02014B50}) + std::string(12, '\0') + sizes + std::string(12, '\0') +
                 raw(static_cast<uint32_t>(archive.size())) + name;
    archive += raw(uint32_t{0x04034B50}) + std::string(10, '\0') + sizes + raw(uint16_t{0}) + name + data;
  }
  const auto count = static_cast<uint16_t>(entries.size());
  return archive + directory + raw(uint32_t{0x06054B50}) + raw(uint32_t{0}) + raw(count) + raw(count) +
         raw(static_cast<uint32_t>(directory.size())) + raw(static_cast<uint32_t>(archive.size())) + raw(uint16_t{0});
}

// What torch.save makes of a pickle and one storage with the key "0".
inline std::string torch_archive(const std::string& pickle, const std::string& storage) {
  return stored_zip({{"x/data.pkl", pickle}, {"x/byteorder", "little"}, {"x/data/0", storage}});
}

}  // namespace sensorium::io
