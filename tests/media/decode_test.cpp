#include "media/decode.h"

#include <unistd.h>

#include <fstream>

#include "media/encode.h"
#include "media/exif.h"
#include "media_test_util.h"

namespace sensorium::media {
namespace {

using namespace std::string_literals;

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
  return bytes;
}

// The header of a grey PNG, with a correct checksum (CRC-32, reflected polynomial 0xEDB88320).
std::string png_header(uint32_t width, uint32_t height) {
  const std::string body = "IHDR" + big_endian(width) + big_endian(height) + "\x08\x00\x00\x00\x00"s;
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : body) {
    crc ^= static_cast<uint8_t>(c);
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0u);
  }
  return "\x89PNG\r\n\x1a\n"s + big_endian(13) + body + big_endian(~crc);
}

Error decode_error(const std::string& bytes, const DecodeLimits& limits = {}) {
  const Result<Image> image = decode_image(bytes, limits);
  if (image.ok()) {
    ADD_FAILURE() << "decoded to " << image.value().width << " x " << image.value().height;
    return Error(ErrorKind::usage, "");
  }
  EXPECT_EQ(image.error().message().find('\n'), std::string::npos);
  return image.error();
}

void expect_mentions(const Error& error, std::initializer_list<const char*> words) {
  for (const char* word : words) {
    EXPECT_NE(error.message().find(word), std::string::npos) << "\"" << word << "\" is not in: " << error.message();
  }
}

TEST(Decode, HugeHeaderIsRefusedBeforeAnyWork) {
  const std::string bytes = png_header(50'000, 50'000);
  const Error error = decode_error(bytes);
  EXPECT_EQ(error.kind(), ErrorKind::limit);
  expect_mentions(error, {"50000 x 50000", "2500000000", "178956970"});
  EXPECT_EQ(read_image_info(bytes).error().kind(), ErrorKind::limit);
  expect_mentions(decode_error(png_header(70'000, 1)), {"70000 x 1", "65535"});
}

TEST(Decode, LimitsAreTheCallers) {
  const std::string bytes = encode_png(make_picture(40, 30));
  EXPECT_TRUE(decode_image(bytes, {.max_pixels = 1200}).ok());
  expect_mentions(decode_error(bytes, {.max_pixels = 1199}), {"40 x 30", "1200", "1199"});
  EXPECT_TRUE(decode_image(bytes, {.max_side = 40}).ok());
  expect_mentions(decode_error(bytes, {.max_side = 39}), {"40 x 30", "39"});
  EXPECT_TRUE(decode_image(bytes, {.max_file_bytes = bytes.size()}).ok());
  const Error error = decode_error(bytes, {.max_file_bytes = bytes.size() - 1});
  EXPECT_EQ(error.kind(), ErrorKind::limit);
}

// Sizes that the data cannot fill are refused before the memory for them is taken.
TEST(Decode, ShortFileThatClaimsToBeHuge) {
  std::string jpeg = encode_jpeg(make_picture(16, 16), 80);
  const size_t frame = jpeg.find("\xFF\xC0"s);
  ASSERT_NE(frame, std::string::npos);
  jpeg[frame + 5] = jpeg[frame + 7] = '\x30';  // 12,304 x 12,304 pixels
  expect_mentions(decode_error(jpeg), {"truncated JPEG", "12304 x 12304"});
  const std::string png = png_header(12'000, 12'000) + big_endian(3) + "IDATabc" + big_endian(0);
  expect_mentions(decode_error(png), {"truncated PNG", "12000 x 12000"});
}

TEST(Decode, SaysWhatItWasGiven) {
  expect_mentions(decode_error(""), {"empty file", "JPEG, PNG, WebP"});
  expect_mentions(decode_error("Dear all,\nthe photo is attached.\n"), {"a text file"});
  expect_mentions(decode_error("  <!DOCTYPE HTML>\n<html><body>404</body></html>"), {"an HTML page"});
  expect_mentions(decode_error("<html lang=\"en\">"), {"an HTML page"});
  expect_mentions(decode_error("<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
                  {"an SVG drawing"});
  expect_mentions(decode_error("<?xml version=\"1.0\"?><note/>"), {"an XML document"});
  expect_mentions(decode_error("GIF89a\1\0\1\0"s), {"a GIF picture"});
  expect_mentions(decode_error("%PDF-1.7\n"), {"a PDF document"});
  expect_mentions(decode_error("\0\0\0\x18"s + "ftypheic" + "0000"), {"a HEIC picture"});
  expect_mentions(decode_error("RIFF\x10\0\0\0WAVEfmt "s), {"a WAV sound"});
  expect_mentions(decode_error(std::string(100, '\0')), {"a file of zero bytes"});
  expect_mentions(decode_error("\x01\x02\xfe\xff"s), {"binary data"});
  // A long text whose 512th byte falls inside a character is still text.
  expect_mentions(decode_error(std::string(511, 'a') + "\xc3\xa9 and more"), {"a text file"});
}

// Every file of the golden set, cut at every length: an error that says so, never a crash and never made-up pixels.
TEST(Decode, EveryTruncationIsAnError) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(golden_dir())) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".png" && extension != ".jpg" && extension != ".webp") continue;
    ++files;
    const std::string bytes = read_file(entry.path());
    const Result<Image> whole = decode_image(bytes);
    ASSERT_TRUE(whole.ok());
    for (size_t length = 0; length < bytes.size(); ++length) {
      const Result<Image> image = decode_image(bytes.substr(0, length));
      if (image.ok()) {
        // What follows the pixels may be missing: a JPEG's end marker, later frames and the metadata of a WebP.
        EXPECT_NE(extension, ".png") << entry.path() << " cut to " << length << " of " << bytes.size();
        if (extension == ".jpg") {
          EXPECT_GE(length + 2, bytes.size()) << entry.path() << " cut to " << length;
        }
        if (image.value().width == whole.value().width) {
          EXPECT_EQ(image.value(), whole.value()) << entry.path();
        }
      } else {
        ASSERT_FALSE(image.error().message().empty());
      }
    }
  }
  EXPECT_GE(files, 70);
}

TEST(Decode, TruncatedJpegSaysSo) {
  const std::string bytes = encode_jpeg(make_picture(200, 100), 85);
  const Error error = decode_error(bytes.substr(0, bytes.size() / 2));
  EXPECT_EQ(error.kind(), ErrorKind::invalid_data);
  expect_mentions(error, {"truncated JPEG", std::to_string(bytes.size() / 2).c_str()});
}

// Codes that no table has: the library would make up the rest of the picture. It looks for them near the end of the data
// only; before, its fast path takes them for something.
TEST(Decode, CorruptJpegSaysSo) {
  std::string bytes = encode_jpeg(make_picture(200, 100), 85);
  for (size_t i = 0; i < 40; ++i) bytes[bytes.size() - 200 + i] = i % 2 == 0 ? '\xFF' : '\0';
  const Error error = decode_error(bytes);
  EXPECT_EQ(error.kind(), ErrorKind::invalid_data);
  expect_mentions(error, {"damaged JPEG"});
}

// Flipped bits, and runs of noise: an error or a picture within the limits, in bounded time.
TEST(Decode, DamagedFilesNeverCrash) {
  const DecodeLimits limits{.max_pixels = 1 << 20};
  Rng rng(7);
  int errors = 0, pictures = 0;
  for (const auto& entry : std::filesystem::directory_iterator(golden_dir())) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".png" && extension != ".jpg" && extension != ".webp") continue;
    const std::string bytes = read_file(entry.path());
    for (int round = 0; round < 120; ++round) {
      std::string damaged = bytes;
      const int flips = static_cast<int>(rng.integer(1, 8));
      for (int i = 0; i < flips; ++i) damaged[rng.below(damaged.size())] ^= static_cast<char>(1 << rng.below(8));
      if (round % 4 == 0) {
        const size_t start = rng.below(damaged.size());
        const size_t end = std::min(damaged.size(), start + static_cast<size_t>(rng.below(40)));
        for (size_t i = start; i < end; ++i) damaged[i] = static_cast<char>(rng.below(256));
      }
      const Result<Image> image = decode_image(damaged, limits);
      image.ok() ? ++pictures : ++errors;
      if (image.ok()) {
        EXPECT_EQ(image.value().pixels.size(), image.value().row_samples() * size_t(image.value().height));
      }
      (void)decode_grey16(as_byte_span(damaged), limits);
    }
  }
  EXPECT_GT(errors, 1000);
  EXPECT_GT(pictures, 100);
}

TEST(Decode, MinSideHintShrinksJpegOnly) {
  const Image picture = make_picture(403, 257);
  const std::string jpeg = encode_jpeg(picture, 95), png = encode_png(picture);
  const auto decoded = [](const std::string& bytes, int hint) {
    return decode_image(bytes, {}, {.min_side_hint = hint}).value();
  };
  EXPECT_EQ(decoded(jpeg, 0).width, 403);
  EXPECT_EQ(decoded(jpeg, 200).width, 403);
  EXPECT_EQ(decoded(jpeg, 128).width, 202);  // sides round up
  EXPECT_EQ(decoded(jpeg, 128).height, 129);
  EXPECT_EQ(decoded(jpeg, 64).height, 65);
  EXPECT_EQ(decoded(jpeg, 1).height, 33);
  EXPECT_EQ(decoded(png, 64), picture);
}

TEST(Decode, ImageInfo) {
  const ImageInfo info = read_image_info(read_golden("jpeg_exif6_big.jpg")).value();
  EXPECT_EQ(info.format, "JPEG");
  EXPECT_EQ(info.width, 17);  // 23 x 17 as stored
  EXPECT_EQ(info.height, 23);
  EXPECT_EQ(info.file_channels, 3);
  EXPECT_EQ(read_image_info(read_golden("jpeg_cmyk.jpg")).value().file_channels, 4);
  EXPECT_EQ(read_image_info(read_golden("png_la16.png")).value().bits_per_channel, 16);
  EXPECT_TRUE(read_image_info(read_golden("png_palette4_trns.png")).value().has_alpha);
  EXPECT_FALSE(read_image_info(read_golden("png_palette4.png")).value().has_alpha);
  EXPECT_TRUE(read_image_info(read_golden("webp_animated.webp")).value().animated);
  EXPECT_EQ(read_image_info(read_golden("webp_lossy.webp")).value().format, "WebP");
}

TEST(Decode, Grey16OnlyFromGreyPng) {
  const Result<Image16> image = decode_grey16(as_byte_span(encode_png(make_picture(5, 4))));
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.error().kind(), ErrorKind::unsupported);
  const Image16 small = decode_grey16(as_byte_span(read_golden("png_grey2.png"))).value();
  for (uint16_t sample : small.pixels) EXPECT_EQ(sample % 21845, 0);  // 65535 / 3
}

TEST(Decode, LoadImageNamesThePath) {
  const auto folder = std::filesystem::temp_directory_path() / ("media_test_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const auto path = folder / "page.jpg";
  std::ofstream(path) << "<html>not found</html>";
  try {
    (void)load_image(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data);
    expect_mentions(error, {"page.jpg: ", "an HTML page"});
  }
  EXPECT_THROW((void)load_image(folder / "missing.jpg"), Error);
  EXPECT_THROW((void)load_image(folder), Error);
  const Image picture = make_picture(9, 7);
  save_image(picture, folder / "picture.PNG");
  EXPECT_EQ(load_image(folder / "picture.PNG"), picture);
  EXPECT_EQ(load_image_info(folder / "picture.PNG").width, 9);
  std::filesystem::remove_all(folder);
}

TEST(Exif, DamagedBlocksMeanUpright) {
  const auto orientation = [](const std::string& block) { return detail::exif_orientation(as_byte_span(block)); };
  const std::string good = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"s;
  EXPECT_EQ(orientation(good), 6);
  EXPECT_EQ(orientation("Exif\0\0"s + good), 6);
  for (size_t length = 0; length < 22; ++length) EXPECT_EQ(orientation(good.substr(0, length)), 1) << length;
  std::string bad = good;
  bad[18] = 9;  // no such orientation
  EXPECT_EQ(orientation(bad), 1);
  bad = good;
  bad[4] = bad[5] = bad[6] = bad[7] = '\xFF';  // a directory beyond the end
  EXPECT_EQ(orientation(bad), 1);
  bad = good;
  bad[8] = bad[9] = '\xFF';  // more entries than there are bytes: the first one still counts
  EXPECT_EQ(orientation(bad), 6);
  bad[10] = 0;
  EXPECT_EQ(orientation(bad), 1);
}

}  // namespace
}  // namespace sensorium::media
