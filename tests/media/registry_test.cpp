#include <set>

#include "media/codec.h"
#include "media_test_util.h"

namespace sensorium::media {
namespace {

TEST(CodecRegistry, NamesAreUniqueAndSignaturesExclusive) {
  std::set<std::string_view> names;
  for (const detail::Codec& codec : detail::codecs()) {
    EXPECT_FALSE(codec.name.empty());
    EXPECT_TRUE(names.insert(codec.name).second) << codec.name;
    EXPECT_FALSE(codec.sniff({})) << codec.name;
  }
  for (const char* file : {"jpeg_420.jpg", "png_rgb8.png", "webp_lossy.webp"}) {
    const std::string bytes = read_golden(file);
    int claims = 0;
    for (const detail::Codec& codec : detail::codecs()) claims += codec.sniff(as_byte_span(bytes));
    EXPECT_EQ(claims, 1) << file;
  }
}

}  // namespace
}  // namespace sensorium::media
