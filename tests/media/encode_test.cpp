#include "media/encode.h"

#include "media_test_util.h"

namespace sensorium::media {
namespace {

TEST(Encode, PngIsLossless) {
  for (int channels : {1, 3}) {
    for (const auto& [width, height] : {std::pair{1, 1}, {17, 5}, {300, 211}}) {
      const Image image = make_picture(width, height, channels);
      for (int compression : {0, 1, 6, 9}) {
        const Image back = decode_image(encode_png(image, compression)).value();
        ASSERT_EQ(back.width, width);
        ASSERT_EQ(back.height, height);
        for (size_t i = 0; i < back.pixels.size(); ++i) {
          ASSERT_EQ(back.pixels[i], image.pixels[channels == 3 ? i : i / 3]);
        }
      }
    }
  }
  EXPECT_LT(encode_png(Image(200, 200), 9).size(), encode_png(Image(200, 200), 0).size() / 20);
}

TEST(Encode, Png16IsLossless) {
  Image16 image(31, 9, 1);
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint16_t>(i * 257 + 3);
  EXPECT_EQ(decode_grey16(as_byte_span(encode_png(image))).value(), image);
}

TEST(Encode, JpegQuality) {
  Image image(64, 48);
  for (int y = 0; y < 48; ++y) {
    for (int x = 0; x < 64; ++x) {
      image.at(x, y)[0] = static_cast<uint8_t>(x * 4);
      image.at(x, y)[1] = static_cast<uint8_t>(y * 5);
      image.at(x, y)[2] = 90;
    }
  }
  EXPECT_LE(largest_difference(decode_image(encode_jpeg(image, 100)).value(), image), 4);
  EXPECT_LE(largest_difference(decode_image(encode_jpeg(image, 90)).value(), image), 24);
  EXPECT_LT(encode_jpeg(image, 10).size(), encode_jpeg(image, 95).size());
  const Image grey = make_picture(20, 10, 1);
  EXPECT_EQ(read_image_info(encode_jpeg(grey, 80)).value().file_channels, 1);
}

TEST(Encode, RefusesBadArguments) {
  const Image image = make_picture(4, 4);
  EXPECT_THROW(encode_png(image, 10), Error);
  EXPECT_THROW(encode_jpeg(image, 0), Error);
  EXPECT_THROW(encode_jpeg(image, 101), Error);
  EXPECT_THROW(encode_png(Image()), Error);
  EXPECT_THROW(encode_jpeg(Image()), Error);
  EXPECT_THROW(encode_jpeg(Image(70'000, 1)), Error);  // JPEG's sides are at most 65,535
  EXPECT_THROW(save_image(image, "picture.bmp"), Error);
}

}  // namespace
}  // namespace sensorium::media
