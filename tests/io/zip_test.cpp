// Archives with hostile directories. (torch_file_test.cpp reads what PyTorch and Python wrote.)
#include "io/zip.h"

#include <gtest/gtest.h>

#include "io/checkpoint_files.h"

namespace sensorium::io {
namespace {

constexpr size_t kEnd = 22;

std::string verdict(const std::string& bytes) {
  const auto entries = read_stored_zip(std::as_bytes(std::span(bytes)));
  return entries ? "ok" : entries.error().message();
}

// `bytes` with `value` at `place`; places below 0 count from the end.
template <typename T>
std::string patched(std::string bytes, int64_t place, T value) {
  const size_t at = place < 0 ? bytes.size() - static_cast<size_t>(-place) : static_cast<size_t>(place);
  return bytes.replace(at, sizeof(T), raw(value));
}

// One entry "a" of three bytes: the local header at 0, the directory at 34, the end at 81.
const std::string kOne = stored_zip({{"a", "xyz"}});

// The same with a zip64 end record that says what is given.
std::string with_zip64(uint64_t entries, uint64_t bytes, uint64_t offset, uint64_t end_place) {
  std::string end = raw(uint32_t{0x06064B50}) + raw(uint64_t{44}) + raw(uint32_t{0}) + raw(uint64_t{0});
  end += raw(entries) + raw(entries) + raw(bytes) + raw(offset);
  end += raw(uint32_t{0x07064B50}) + raw(uint32_t{0}) + raw(end_place) + raw(uint32_t{1});
  std::string out = kOne;
  return out.insert(out.size() - kEnd, end);
}

TEST(Zip, ReadsStoredEntries) {
  const std::string bytes = stored_zip({{"a", "xyz"}, {"folder/b", ""}, {"c", std::string(300, 'c')}});
  const auto entries = read_stored_zip(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(entries.ok()) << entries.error().message();
  ASSERT_EQ(entries.value().size(), 3u);
  EXPECT_EQ(entries.value()[0].name, "a");
  EXPECT_EQ(std::memcmp(entries.value()[0].bytes.data(), "xyz", 3), 0);
  EXPECT_EQ(entries.value()[1].bytes.size(), 0u);
  EXPECT_EQ(entries.value()[2].bytes.size(), 300u);
  EXPECT_TRUE(looks_like_zip(std::as_bytes(std::span(bytes))));
  EXPECT_EQ(verdict(stored_zip({})), "ok");
  EXPECT_EQ(verdict(patched(kOne, -2, uint16_t{5}) + "hello"), "ok");  // a comment
  EXPECT_EQ(verdict(with_zip64(1, 47, 34, 81)), "ok");
}

TEST(Zip, HostileDirectories) {
  const std::string two = stored_zip({{"a", "xyz"}, {"b", "uvw"}});
  const size_t central = 34;
  const struct {
    std::string bytes, part;
  } cases[] = {
      {"", "no end of a ZIP archive"},
      {kOne.substr(0, kOne.size() - 1), "no end of a ZIP archive"},
      {kOne + "x", "no end of a ZIP archive"},
      {patched(kOne, -static_cast<int64_t>(kEnd) + 4, uint16_t{3}), "several files"},
      {patched(kOne, -12, uint16_t{2}), "directory of 2 entries"},
      {patched(kOne, -12, uint16_t{0xFFFF}), "zip64 end record is missing"},
      {patched(kOne, -10, uint32_t{0xFFFFFFFE}), "not inside the archive"},
      {patched(kOne, -6, uint32_t{0xFFFFFFFE}), "not inside the archive"},
      {patched(kOne, -6, uint32_t{35}), "not inside the archive"},
      {patched(kOne, -6, uint32_t{33}), "damaged ZIP directory"},
      {patched(kOne, central, uint32_t{7}), "damaged ZIP directory"},
      {patched(kOne, central + 28, uint16_t{0xFFFF}), "damaged ZIP directory"},  // its name's length
      {patched(kOne, central + 8, uint16_t{1}), "entry a is encrypted"},
      {patched(kOne, central + 10, uint16_t{8}), "entry a is compressed (method 8)"},
      {patched(kOne, central + 24, uint32_t{0x7FFFFFFF}), "3 bytes stored for 2147483647"},  // a bomb's sizes
      {patched(patched(kOne, central + 20, uint32_t{0x7FFFFFFF}), central + 24, uint32_t{0x7FFFFFFF}),
       "2147483647 bytes at 31 are not inside"},
      {patched(kOne, central + 24, uint32_t{0xFFFFFFFF}), "zip64 sizes are missing"},
      {patched(kOne, central + 42, uint32_t{1}), "entry a: no header of it at 1"},
      {patched(kOne, central + 42, uint32_t{0xFFFFFFF0}), "no header of it"},
      {patched(kOne, 30, 'b'), "no header of it"},
      {patched(kOne, central + 46, '\xFF'), "not UTF-8"},
      {patched(kOne, 28, uint16_t{0xFFFF}), "no header of it"},  // the local extra field
      {with_zip64(1, 47, 34, 80), "damaged zip64"},
      {with_zip64(1, 47, 34, UINT64_MAX), "damaged zip64"},
      {with_zip64(UINT64_MAX, 47, 34, 81), "not inside the archive"},
      {with_zip64(1, UINT64_MAX, 34, 81), "not inside the archive"},
      {with_zip64(1, 47, UINT64_MAX, 81), "not inside the archive"},
      {with_zip64(1, UINT64_MAX - 33, 34, 81), "not inside the archive"},
      {stored_zip({{"a", "x"}, {"a", "x"}}), "entry a stands twice"},
  };
  for (const auto& c : cases) expect_contains(verdict(c.bytes), c.part);

  // Two names for one place, as bombs that overlap their files do: "b" first claims "a"'s header, then a header within
  // "a"'s bytes.
  std::string same = patched(two, 68 + 47 + 42, uint32_t{0});
  same[68 + 47 + 46] = 'a';
  expect_contains(verdict(same), "stands twice");
  const std::string inner = kOne.substr(0, 34);
  std::string nested = stored_zip({{"b", inner}, {"a", ""}});
  const size_t second = nested.size() - kEnd - 47;
  nested = patched(nested, static_cast<int64_t>(second) + 42, uint32_t{31});
  expect_contains(verdict(nested), "overlap");
}

TEST(Zip, Zip64SizesOfAnEntry) {
  // Sizes of 0xFFFFFFFF stand for those in the extra field.
  const auto with_extra = [](uint64_t bytes, uint64_t stored, const std::string& tail = "") {
    const std::string extra = raw(uint16_t{7}) + raw(uint16_t{1}) + "?" + raw(uint16_t{1}) +
                              raw(static_cast<uint16_t>(16 + tail.size())) + raw(bytes) + raw(stored) + tail;
    std::string out = kOne;
    out = patched(out, 34 + 20, uint64_t{UINT64_MAX});
    out = patched(out, 34 + 30, static_cast<uint16_t>(extra.size()));
    out = patched(out, -10, static_cast<uint32_t>(47 + extra.size()));
    return out.insert(81, extra);
  };
  EXPECT_EQ(verdict(with_extra(3, 3)), "ok");
  expect_contains(verdict(with_extra(uint64_t{1} << 63, uint64_t{1} << 63)), "not inside the archive");
  expect_contains(verdict(with_extra(uint64_t{1} << 63, 3)), "3 bytes stored for 9223372036854775808");
  expect_contains(verdict(with_extra(UINT64_MAX, UINT64_MAX)), "not inside the archive");
}

}  // namespace
}  // namespace sensorium::io
