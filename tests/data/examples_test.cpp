// The example pictures are there, small, readable, and what their records say.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "data/world/world.h"
#include "media/decode.h"

namespace sensorium::data {
namespace {

const std::filesystem::path kExamples = SENSORIUM_SOURCE_DIR "/examples";

TEST(Examples, RecordsFitThePictures) {
  std::string text = read_file(kExamples / "examples.jsonl");
  int records = 0;
  while (!text.empty()) {
    const std::string line = text.substr(0, text.find('\n'));
    text.erase(0, line.size() + 1);
    const Json record = parse_json(line).value();
    const std::string bytes = read_file(kExamples / record.at("image").get<std::string>());
    EXPECT_LE(bytes.size(), 60u * 1024) << record.at("image");
    const media::Image image = media::decode_image(bytes).value();
    EXPECT_EQ(image.width, record.at("width"));
    EXPECT_EQ(image.height, record.at("height"));
    EXPECT_FALSE(record.at("qa").empty());
    ++records;
  }
  EXPECT_EQ(records, 6);
}

TEST(Examples, ComeFromTheWorldAsTheReadmeSays) {
  const WorldSample site = generate_world_sample(1, 11, {.kinds = {"site"}, .min_side = 320, .max_side = 480});
  EXPECT_EQ(site.count.at("helmet"), 5);
  EXPECT_EQ(site.count.at("head"), 0);
  const WorldSample blocks = generate_world_sample(1, 28, {.kinds = {"blocks"}});
  // Drawn from whole pixels and pure colours: equal everywhere.
  EXPECT_EQ(blocks.image, media::decode_image(read_file(kExamples / "blocks.png")).value());
}

}  // namespace
}  // namespace sensorium::data
