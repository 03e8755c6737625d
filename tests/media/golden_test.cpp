// Against Pillow: tools/golden/media_images.py made the files and the expected values.
#include "media/color.h"
#include "media/geometry.h"
#include "media/resize.h"
#include "media/resize_kernels.h"
#include "media_test_util.h"

namespace sensorium::media {
namespace {

const Json& index() {
  static const Json json = read_json_file(golden_dir() / "index.json");
  return json;
}

Image source(const std::string& name) {
  return image_from_raw(read_golden("source_" + name + ".raw"), 61, 47, name == "rgb" ? 3 : 1);
}

void expect_case(const Image& image, const Json& entry, const std::string& what) {
  if (entry.contains("sha256")) {
    EXPECT_EQ(pixel_hash(image), entry.at("sha256").get<std::string>()) << what;
    return;
  }
  const Image expected =
      image_from_raw(read_golden(entry.at("expected").get<std::string>()), image.width, image.height, image.channels);
  EXPECT_LE(largest_difference(image, expected), entry.at("tolerance").get<int>()) << what;
}

TEST(GoldenMedia, Decode) {
  ASSERT_GE(index().at("decode").size(), 70u);
  for (const Json& entry : index().at("decode")) {
    const auto file = entry.at("file").get<std::string>();
    const std::string bytes = read_golden(file);
    const Result<ImageInfo> info = read_image_info(bytes);
    ASSERT_TRUE(info.ok()) << file << ": " << info.error().message();
    EXPECT_EQ(info.value().width, entry.at("width").get<int>()) << file;
    EXPECT_EQ(info.value().height, entry.at("height").get<int>()) << file;
    EXPECT_EQ(info.value().orientation, entry.value("orientation", 1)) << file;
    const Result<Image> image = decode_image(bytes);
    ASSERT_TRUE(image.ok()) << file << ": " << image.error().message();
    ASSERT_EQ(image.value().width, entry.at("width").get<int>()) << file;
    ASSERT_EQ(image.value().height, entry.at("height").get<int>()) << file;
    ASSERT_EQ(image.value().channels, 3) << file;
    expect_case(image.value(), entry, file);
    if (entry.contains("grey16")) {
      const Result<Image16> grey = decode_grey16(as_byte_span(bytes));
      ASSERT_TRUE(grey.ok()) << file << ": " << grey.error().message();
      const auto* samples = reinterpret_cast<const uint8_t*>(grey.value().pixels.data());
      EXPECT_EQ(to_hex(sha256(std::span(samples, grey.value().pixels.size() * 2))),
                entry.at("grey16").get<std::string>())
          << file;
    }
  }
}

ResizeFilter filter_named(const std::string& name) {
  if (name == "nearest") return ResizeFilter::nearest;
  if (name == "box") return ResizeFilter::box;
  if (name == "bilinear") return ResizeFilter::bilinear;
  if (name == "bicubic") return ResizeFilter::bicubic;
  return ResizeFilter::lanczos;
}

TEST(GoldenMedia, ResizeIsPillowsBitForBit) {
  ASSERT_GE(index().at("resize").size(), 150u);
  for (const Json& entry : index().at("resize")) {
    const Image image = source(entry.at("source").get<std::string>());
    ResizeBox box{0, 0, static_cast<float>(image.width), static_cast<float>(image.height)};
    if (!entry.at("box").is_null()) {
      const auto edges = entry.at("box").get<std::vector<float>>();
      box = {edges[0], edges[1], edges[2], edges[3]};
    }
    const ResizeFilter filter = filter_named(entry.at("filter").get<std::string>());
    const int width = entry.at("width").get<int>(), height = entry.at("height").get<int>();
    expect_case(resize(image, width, height, filter, box), entry, entry.dump());
    const Image plain = detail::resize_with(image, width, height, filter, box, detail::scalar_resize_kernels());
    expect_case(plain, entry, "scalar kernels, " + entry.dump());
  }
}

TEST(GoldenMedia, ColorIsPillowsBitForBit) {
  ASSERT_GE(index().at("color").size(), 25u);
  for (const Json& entry : index().at("color")) {
    const Image image = source(entry.at("source").get<std::string>());
    const auto op = entry.at("op").get<std::string>();
    const double value = entry.value("value", 0.0);
    Image result;
    if (op == "grey") result = to_grey(image);
    if (op == "brightness") result = adjust_brightness(image, value);
    if (op == "contrast") result = adjust_contrast(image, value);
    if (op == "saturation") result = adjust_saturation(image, value);
    if (op == "box_blur") result = box_blur(image, static_cast<int>(value));
    expect_case(result, entry, entry.dump());
  }
}

TEST(GoldenMedia, Hue) {
  for (const Json& entry : index().at("hue")) {
    expect_case(adjust_hue(source("rgb"), entry.at("turns").get<double>()), entry, entry.dump());
  }
}

TEST(GoldenMedia, Warp) {
  for (const Json& entry : index().at("warp")) {
    const Image warped = warp_affine(source("rgb"), entry.at("width").get<int>(), entry.at("height").get<int>(),
                                     entry.at("matrix").get<Affine>(), {9, 99, 199});
    expect_case(warped, entry, entry.dump());
  }
}

}  // namespace
}  // namespace sensorium::media
