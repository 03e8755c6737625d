// TensorBoard event files, byte for byte as TensorBoard's own writer makes them.
#include "io/tensorboard.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "base/file.h"

namespace sensorium::io {
namespace {
namespace fs = std::filesystem;

TEST(Crc32c, KnownValues) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);            // the check value of CRC-32C
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST(GoldenTensorboard, EventsEqualTensorBoards) {
  const std::string bytes = encode_record(encode_scalar_event(1700000000.25, "loss/total", 0, 2.5f)) +
                            encode_record(encode_scalar_event(1700000001.5, "lr", 300, -1e-3f));
  EXPECT_EQ(bytes, read_file(SENSORIUM_SOURCE_DIR "/tests/golden/io/events.bin"));
}

TEST(Tensorboard, WriterStartsWithTheVersionAndAppends) {
  const fs::path folder = fs::path(testing::TempDir()) / "tensorboard_writer";
  fs::remove_all(folder);
  fs::create_directories(folder);
  EventWriter writer(folder);
  EXPECT_NE(writer.path().filename().string().find("events.out.tfevents."), std::string::npos);
  const std::string before = read_file(writer.path());
  EXPECT_NE(before.find("brain.Event:2"), std::string::npos);
  writer.scalar("loss", 7, 0.5f);
  const std::string after = read_file(writer.path());
  // Each record: length, its checksum, message, its checksum.
  size_t records = 0;
  for (size_t place = 0; place < after.size(); ++records) {
    uint64_t length = 0;
    uint32_t length_crc = 0, crc = 0;
    std::memcpy(&length, after.data() + place, 8);
    std::memcpy(&length_crc, after.data() + place + 8, 4);
    ASSERT_LE(place + 16 + length, after.size());
    std::memcpy(&crc, after.data() + place + 12 + length, 4);
    EXPECT_EQ(length_crc, masked_crc32c(after.substr(place, 8)));
    EXPECT_EQ(crc, masked_crc32c(after.substr(place + 12, length)));
    place += 16 + length;
  }
  EXPECT_EQ(records, 2u);
  EXPECT_THROW(EventWriter(folder / "missing"), Error);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace sensorium::io
