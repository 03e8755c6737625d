// The synthetic world: the same samples everywhere, and records that agree with the pixels.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <functional>
#include <set>

#include "base/file.h"
#include "base/threads.h"
#include "data/world/blocks.h"
#include "data/world/phrases.h"
#include "data/world/render.h"
#include "data/world/world.h"
#include "media/decode.h"

namespace sensorium::data {
namespace {

uint64_t fnv1a(std::string_view bytes, uint64_t hash = 0xcbf29ce484222325ull) {
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash;
}
// See WordsOfASeedAreFixed and PixelsOfASeedAreFixed.
constexpr uint64_t kWordsHash = 1619296739153854106ull, kPixelsHash = 13532766604828761527ull;

uint64_t sample_hash(const WorldSample& sample) {
  const std::string record = world_record(sample, "x").dump();
  return fnv1a({reinterpret_cast<const char*>(sample.image.pixels.data()), sample.image.pixels.size()}, fnv1a(record));
}

std::vector<WorldSample> make_samples(const std::string& kind, uint64_t count, uint64_t seed = 11) {
  WorldOptions options;
  options.kinds = {kind};
  std::vector<WorldSample> samples;
  for (uint64_t i = 0; i < count; ++i) samples.push_back(generate_world_sample(seed, i, options));
  return samples;
}

// The answer to a question, or "" if it was not asked.
std::string answer_to(const WorldSample& sample, const std::string& question) {
  for (const QuestionAnswer& pair : sample.qa) {
    if (pair.question == question) return pair.answer;
  }
  return "";
}

int boxes_of(const WorldSample& sample, const std::string& label) {
  return static_cast<int>(
      std::count_if(sample.boxes.begin(), sample.boxes.end(), [&](const WorldBox& box) { return box.label == label; }));
}

TEST(World, SamplesDoNotDependOnOrderOrThreads) {
  constexpr int64_t kCount = 90;
  std::vector<uint64_t> forward(kCount), parallel(kCount);
  for (int64_t i = kCount; i-- > 0;)
    forward[static_cast<size_t>(i)] = sample_hash(generate_world_sample(5, static_cast<uint64_t>(i)));
  const int threads = thread_count();
  set_thread_count(3);
  parallel_for(kCount, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      parallel[static_cast<size_t>(i)] = sample_hash(generate_world_sample(5, static_cast<uint64_t>(i)));
    }
  });
  set_thread_count(threads);
  EXPECT_EQ(forward, parallel);
  EXPECT_EQ(std::set<uint64_t>(forward.begin(), forward.end()).size(), static_cast<size_t>(kCount));
  EXPECT_NE(sample_hash(generate_world_sample(6, 0)), forward[0]);
}

// Whoever changes the world on purpose changes these numbers, and every data set made from it.
TEST(World, WordsOfASeedAreFixed) {
  uint64_t hash = fnv1a("");
  for (uint64_t i = 0; i < 180; ++i) {
    Json record = world_record(generate_world_sample(1, i), "x");
    record.erase("boxes");
    hash = fnv1a(record.dump(), hash);
  }
  EXPECT_EQ(hash, kWordsHash);
}

// Where multiplication and addition may be fused, as on Arm64, the last bit of a pixel may differ.
#if defined(__x86_64__) && !defined(__FMA__)
TEST(World, PixelsOfASeedAreFixed) {
  uint64_t hash = fnv1a("");
  for (uint64_t i = 0; i < 180; ++i) {
    const WorldSample sample = generate_world_sample(1, i);
    const std::string boxes = world_record(sample, "x").value("boxes", Json()).dump();
    const std::string_view pixels(reinterpret_cast<const char*>(sample.image.pixels.data()),
                                  sample.image.pixels.size());
    for (const uint64_t part : {fnv1a(boxes), fnv1a(pixels)}) hash = (hash ^ part) * 0x100000001b3ull;
  }
  EXPECT_EQ(hash, kPixelsHash);
}
#endif

TEST(World, AsManyStatementsAsAskedFor) {
  WorldOptions options;
  options.kinds = {"blocks"};
  size_t most = 0;
  for (uint64_t i = 0; i < 20; ++i) {
    const WorldSample few = generate_world_sample(3, i, options);
    WorldOptions asking = options;
    asking.statements = 12;
    const WorldSample many = generate_world_sample(3, i, asking);
    EXPECT_EQ(few.image.pixels, many.image.pixels);
    ASSERT_GT(many.statements.size(), few.statements.size());
    EXPECT_LE(many.statements.size(), 12u);
    most = std::max(most, many.statements.size());
    std::set<std::string> texts;
    for (const Statement& statement : many.statements) texts.insert(statement.text);
    EXPECT_EQ(texts.size(), many.statements.size());
    for (size_t s = 0; s < few.statements.size(); ++s) EXPECT_EQ(few.statements[s].text, many.statements[s].text);
  }
  EXPECT_EQ(most, 12u);
  options.statements = -1;
  EXPECT_THROW(generate_world_sample(3, 0, options), Error);
}

TEST(World, BoxesAreInsideAndCounted) {
  for (const WorldKind& kind : world_kinds()) {
    size_t boxes = 0;
    for (const WorldSample& sample : make_samples(std::string(kind.name), 60)) {
      std::map<std::string, int> count = sample.count;
      for (const WorldBox& box : sample.boxes) {
        EXPECT_GE(box.box[0], 0) << kind.name;
        EXPECT_GE(box.box[1], 0) << kind.name;
        EXPECT_LE(box.box[2], static_cast<float>(sample.image.width)) << kind.name;
        EXPECT_LE(box.box[3], static_cast<float>(sample.image.height)) << kind.name;
        EXPECT_LT(box.box[0], box.box[2]) << kind.name;
        EXPECT_LT(box.box[1], box.box[3]) << kind.name;
        --count[box.label];
      }
      for (const auto& [label, rest] : count) EXPECT_EQ(rest, 0) << kind.name << " " << label;
      boxes += sample.boxes.size();
    }
    EXPECT_GT(boxes, 20u) << kind.name;
  }
}

// Where two pictures differ by more than rounding.
PixelBox difference_box(const media::Image& a, const media::Image& b) {
  PixelBox box = {1e9f, 1e9f, -1, -1};
  for (int y = 0; y < a.height; ++y) {
    for (int x = 0; x < a.width; ++x) {
      int most = 0;
      for (int c = 0; c < 3; ++c) most = std::max(most, std::abs(a.at(x, y)[c] - b.at(x, y)[c]));
      if (most < 3) continue;
      box = {std::min(box[0], float(x)), std::min(box[1], float(y)), std::max(box[2], float(x + 1)),
             std::max(box[3], float(y + 1))};
    }
  }
  return box;
}

TEST(World, BoxesAreTightToTheDrawnPixels) {
  // Paint the scene with and without one thing: the difference is the thing. Antialiasing leaves a pixel on each side.
  int compared = 0;
  for (const WorldKind& kind : world_kinds()) {
    for (uint64_t i = 0; i < 12; ++i) {
      Rng rng = Rng::for_item(77, i);
      Scene scene = kind.compose(rng, 200, 180);
      scene.camera = Camera{};
      const Rendering whole = render_picture(scene);
      for (size_t t = 0; t < scene.things.size(); ++t) {
        const Thing thing = scene.things[t];
        const bool ghost = std::any_of(thing.parts.begin(), thing.parts.end(), [](const Part& p) { return p.ghost; });
        if (!thing.annotated || thing.visible_share < 1 || ghost) continue;
        Scene without = scene;
        without.things.erase(without.things.begin() + static_cast<int64_t>(t));
        const PixelBox seen = difference_box(whole.image, render_picture(without).image);
        // A part may have the colour of what lies behind it; then the difference is smaller than the box, not larger.
        for (int side = 0; side < 4; ++side) {
          const float outside = side < 2 ? thing.box[side] - seen[side] : seen[side] - thing.box[side];
          EXPECT_LE(outside, 1.0f) << kind.name << " " << i << " " << thing.name << " side " << side;
          if (kind.name == "shapes" || kind.name == "counting" || kind.name == "blocks" || kind.name == "words") {
            EXPECT_GE(outside, -1.0f) << kind.name << " " << i << " " << thing.name << " side " << side;
          }
        }
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 200);
}

TEST(World, OwnersAgreeWithBoxes) {
  Rng rng = Rng::for_item(3, 0);
  Scene scene = world_kinds()[6].compose(rng, 240, 200);
  const Rendering rendering = render_picture(scene);
  for (size_t t = 0; t < scene.things.size(); ++t) {
    const auto pixels = std::count(rendering.owner.begin(), rendering.owner.end(), t + 1);
    EXPECT_EQ(pixels, scene.things[t].visible_pixels);
    EXPECT_LE(scene.things[t].visible_share, 1.0f);
  }
}

TEST(World, AnswersOfSitesAndCellsFollowFromTheBoxes) {
  for (const WorldSample& sample : make_samples("site", 120)) {
    const int with = boxes_of(sample, "helmet"), without = boxes_of(sample, "head");
    EXPECT_EQ(answer_to(sample, "How many people wear a safety helmet?"), std::to_string(with));
    EXPECT_EQ(answer_to(sample, "How many people do not wear a safety helmet?"), std::to_string(without));
    if (with + without > 0) {
      EXPECT_EQ(answer_to(sample, "Does everybody wear a safety helmet?"), without == 0 ? "yes" : "no");
    }
  }
  for (const WorldSample& sample : make_samples("cells", 80)) {
    EXPECT_EQ(answer_to(sample, "How many white blood cells are there?"),
              std::to_string(boxes_of(sample, "white blood cell")));
    EXPECT_EQ(answer_to(sample, "Are there platelets in the image?"), boxes_of(sample, "platelet") > 0 ? "yes" : "no");
  }
}

TEST(World, AnswersOfPartsFollowFromTheBoxes) {
  int defective = 0;
  for (const WorldSample& sample : make_samples("parts", 200)) {
    const size_t defects = sample.boxes.size() - 1;  // one box is the part itself
    EXPECT_EQ(boxes_of(sample, sample.topic), 1);
    EXPECT_EQ(answer_to(sample, "Does the part have a defect?"), defects > 0 ? "yes" : "no");
    EXPECT_EQ(answer_to(sample, "How many defects does the part have?"), std::to_string(defects));
    if (defects == 0) {
      EXPECT_EQ(answer_to(sample, "Which defect does the part have?"), "none");
    }
    defective += defects > 0;
  }
  EXPECT_NEAR(defective, 100, 30);
}

TEST(World, CountingAnswersFollowFromTheBoxes) {
  for (const char* kind : {"shapes", "counting"}) {
    for (const WorldSample& sample : make_samples(kind, 100)) {
      EXPECT_EQ(answer_to(sample, "How many objects are there?"), std::to_string(sample.boxes.size()));
      for (const auto& [label, n] : sample.count) {
        const std::string asked = answer_to(sample, "How many " + plural(label) + " are there?");
        if (!asked.empty()) {
          EXPECT_EQ(asked, std::to_string(n)) << kind;
        }
      }
    }
  }
}

// Connected patches of one pure colour, each one block (blocks keep at least a pixel apart).
int count_patches(const media::Image& image, std::array<uint8_t, 3> color) {
  std::vector<char> wanted(static_cast<size_t>(image.width) * static_cast<size_t>(image.height));
  for (size_t i = 0; i < wanted.size(); ++i) {
    wanted[i] = std::equal(color.begin(), color.end(), image.pixels.begin() + static_cast<int64_t>(3 * i));
  }
  int patches = 0;
  std::vector<int> stack;
  for (int start = 0; start < static_cast<int>(wanted.size()); ++start) {
    if (!wanted[static_cast<size_t>(start)]) continue;
    ++patches;
    stack.push_back(start);
    while (!stack.empty()) {
      const int at = stack.back();
      stack.pop_back();
      if (at < 0 || at >= static_cast<int>(wanted.size()) || !wanted[static_cast<size_t>(at)]) continue;
      wanted[static_cast<size_t>(at)] = 0;
      const int x = at % image.width;
      if (x > 0) stack.push_back(at - 1);
      if (x + 1 < image.width) stack.push_back(at + 1);
      stack.push_back(at - image.width);
      stack.push_back(at + image.width);
    }
  }
  return patches;
}

TEST(World, BlocksAreCountedInThePixels) {
  for (const WorldSample& sample : make_samples("blocks", 150)) {
    ASSERT_EQ(sample.image.width, 400);
    ASSERT_EQ(sample.image.height, 100);
    EXPECT_EQ(answer_to(sample, "How many yellow objects are there?"),
              std::to_string(count_patches(sample.image, {255, 255, 0})));
    EXPECT_EQ(answer_to(sample, "How many blue objects are there?"),
              std::to_string(count_patches(sample.image, {0, 153, 255})));
    EXPECT_EQ(answer_to(sample, "How many black objects are there?"),
              std::to_string(count_patches(sample.image, {0, 0, 0})));
    for (const WorldBox& box : sample.boxes) {
      // As in the real set, a box is the block's full square of 10, 20 or 30 pixels.
      EXPECT_EQ(box.box[2] - box.box[0], box.box[3] - box.box[1]) << box.label;
      EXPECT_EQ(std::fmod(box.box[2] - box.box[0], 10), 0) << box.label;
    }
  }
}

BlockBox tower(std::initializer_list<std::string_view> colors) {
  BlockBox box;
  for (std::string_view color : colors)
    box.push_back({"square", color, 20, 40, 80 - 21 * static_cast<int>(box.size())});
  return box;
}

// Draws claims until each wanted sentence (lower case, no full stop, digits as words) came up; checks their truth.
void expect_claims(const BlockPicture& picture, const std::map<std::string, bool>& wanted) {
  std::set<std::string> found;
  Rng rng(4);
  for (int i = 0; i < 400000 && found.size() < wanted.size(); ++i) {
    const Claim claim = random_claim(picture.towers, rng);
    std::string text = claim.text;
    if (text.back() == '.') text.pop_back();
    text[0] = static_cast<char>(std::tolower(text[0]));
    const auto expected = wanted.find(text);
    if (expected == wanted.end() || !found.insert(text).second) continue;
    EXPECT_EQ(claim.holds(picture), expected->second) << text;
  }
  for (const auto& entry : wanted) EXPECT_TRUE(found.contains(entry.first)) << "never said: " << entry.first;
}

TEST(World, ClaimsAboutTowersAreJudgedAsPeopleDid) {
  const BlockPicture picture{true, {tower({"black", "blue", "yellow"}), tower({"blue"}), tower({"black", "black"})}};
  expect_claims(picture, {{"there are three black blocks", true},
                          {"there are two black blocks", false},
                          {"there are 2 towers with a black block at the base", true},
                          {"there is exactly one tower with a yellow block at the top", true},
                          {"there is no tower with a blue block at the base", false},
                          {"there is a blue block on a black block", true},
                          {"there is a black block on a blue block", false},
                          {"there is a yellow block above a black block", false},
                          {"there is a blue tower", true},
                          {"there is a yellow tower", false},
                          {"the tower with three blocks has a yellow block at the top", true},
                          {"there is a tower with two black blocks stacked together", true},
                          {"there is a black block as the top of a tower with exactly two blocks", true},
                          {"each tower has a black block at the base", false},
                          {"there is a tower with blocks of all three colors", true},
                          {"there are 2 towers with the same height", false},
                          {"two of the three towers have a black base", true}});
}

TEST(World, ClaimsAboutItemsAreJudgedAsPeopleDid) {
  const BlockPicture picture{
      false,
      {BlockBox{{"circle", "yellow", 30, 70, 70}, {"square", "blue", 10, 20, 30}},
       BlockBox{{"triangle", "black", 20, 40, 80}, {"triangle", "black", 20, 10, 10}, {"square", "yellow", 10, 50, 5}},
       BlockBox{{"circle", "blue", 20, 80, 40}}}};
  expect_claims(picture, {{"there is a yellow circle touching the wall", true},
                          {"there is a yellow circle in the corner", true},
                          {"there is a black triangle touching the corner", false},
                          {"there is exactly one black triangle touching the base", true},
                          {"none of the blue squares are touching the edge", true},
                          {"there are 2 boxes with only blue items", false},
                          {"there is a box with 3 items", true},
                          {"there is exactly one box with one item", true},
                          {"there is a box with 2 black triangles", true},
                          {"there is a box with a yellow circle and a blue square", true},
                          {"there is a big yellow circle touching the edge", true},
                          {"all black triangles are in the same box", true},
                          {"all yellow items are in the same box", false},
                          {"there is a box with 3 items and a yellow item on top", true}});
}

TEST(World, StatementsAreBalancedAndTheirWordsTellNothing) {
  std::map<std::string, std::array<int, 2>> by_opening;  // first four words -> false, true
  int truths = 0, all = 0;
  for (const WorldSample& sample : make_samples("blocks", 900)) {
    ASSERT_FALSE(sample.statements.empty());
    const Statement& statement = sample.statements[0];
    truths += statement.truth;
    ++all;
    size_t end = 0;
    for (int word = 0; word < 4 && end != std::string::npos; ++word) end = statement.text.find(' ', end + 1);
    ++by_opening[statement.text.substr(1, end)][statement.truth];
  }
  EXPECT_NEAR(static_cast<double>(truths) / all, 0.5, 0.05);
  for (const auto& [opening, counts] : by_opening) {
    const int n = counts[0] + counts[1];
    if (n < 60) continue;
    EXPECT_NEAR(static_cast<double>(counts[1]) / n, 0.5, 0.2) << opening;
  }
  for (const WorldKind& kind : world_kinds()) {
    int yes = 0, total = 0;
    for (const WorldSample& sample : make_samples(std::string(kind.name), 100)) {
      for (const Statement& statement : sample.statements) {
        yes += statement.truth;
        ++total;
      }
    }
    EXPECT_GE(total, 80) << kind.name;
    EXPECT_NEAR(static_cast<double>(yes) / total, 0.5, 0.15) << kind.name;
  }
}

TEST(World, DigitsAndWordsSayWhatIsWritten) {
  std::set<std::string> digits;
  for (const WorldSample& sample : make_samples("digits", 200)) {
    if (sample.topic.empty()) continue;
    EXPECT_EQ(answer_to(sample, "Which digit is written here?"), sample.topic);
    digits.insert(sample.topic);
  }
  EXPECT_EQ(digits.size(), 10u);
  for (const WorldSample& sample : make_samples("words", 40)) {
    if (!sample.topic.empty()) {
      EXPECT_EQ(answer_to(sample, "Which word is written here?"), sample.topic);
    }
  }
}

TEST(World, LanguageIsPlainAndAnswersAreShort) {
  std::set<std::string> questions;
  for (uint64_t i = 0; i < 400; ++i) {
    const WorldSample sample = generate_world_sample(2, i);
    EXPECT_FALSE(sample.caption.empty());
    EXPECT_EQ(sample.caption.back(), '.');
    EXPECT_FALSE(sample.qa.empty());
    for (const QuestionAnswer& pair : sample.qa) {
      EXPECT_EQ(pair.question.back(), '?') << pair.question;
      EXPECT_FALSE(pair.answer.empty()) << pair.question;
      EXPECT_LE(std::count(pair.answer.begin(), pair.answer.end(), ' '), 2) << pair.answer;
      EXPECT_TRUE(std::all_of(pair.answer.begin(), pair.answer.end(), [](char c) {
        return c == ' ' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
      })) << pair.answer;
      questions.insert(pair.question);
    }
    std::set<std::string> asked;
    for (const QuestionAnswer& pair : sample.qa)
      EXPECT_TRUE(asked.insert(pair.question).second) << sample.kind << ": " << pair.question;
  }
  for (const char* question :
       {"How many people wear a safety helmet?", "How many white blood cells are there?",
        "Which digit is written here?", "How many yellow objects are there?", "Which part is this?"}) {
    EXPECT_TRUE(questions.contains(question)) << question;
  }
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.message();
  }
  return "no error";
}

TEST(World, WrongOptionsAreNamed) {
  const auto with_sides = [](int low, int high) {
    return message_of([&] { generate_world_sample(1, 0, {.min_side = low, .max_side = high}); });
  };
  EXPECT_NE(with_sides(1, 1).find("from 1 to 1"), std::string::npos) << with_sides(1, 1);
  EXPECT_NE(with_sides(320, 160).find("min_side <= max_side"), std::string::npos);
  EXPECT_NE(with_sides(64, 100000).find("2048"), std::string::npos);
  const std::string unknown = message_of([] { generate_world_sample(1, 0, {.kinds = {"shape"}}); });
  EXPECT_NE(unknown.find("did you mean 'shapes'"), std::string::npos) << unknown;
  EXPECT_NE(message_of([] { write_world_dataset("unused", "x", 0, 0, 1); }), "no error");
  EXPECT_FALSE(std::filesystem::exists("unused"));
}

TEST(World, ExtremeSizesStillMakeSense) {
  for (const auto& [low, high] : {std::pair{64, 64}, {64, 700}, {1000, 1000}}) {
    for (const WorldKind& kind : world_kinds()) {
      for (uint64_t i = 0; i < 4; ++i) {
        const WorldSample sample =
            generate_world_sample(9, i, {.kinds = {std::string(kind.name)}, .min_side = low, .max_side = high});
        EXPECT_FALSE(sample.qa.empty()) << kind.name;
        for (const WorldBox& box : sample.boxes) EXPECT_LE(box.box[2], static_cast<float>(sample.image.width));
      }
    }
  }
}

TEST(World, DatasetOnDiskIsWhatWasGenerated) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "sensorium_world_test";
  std::filesystem::remove_all(folder);
  const WorldDatasetReport report = write_world_dataset(folder, "train", 3, 20, 8);
  EXPECT_EQ(report.samples, 20u);
  std::string text = read_file(folder / "train.jsonl");
  uint64_t index = 3, bytes = text.size();
  while (!text.empty()) {
    const std::string line = text.substr(0, text.find('\n'));
    text.erase(0, line.size() + 1);
    const Json record = parse_json(line).value();
    const WorldSample sample = generate_world_sample(8, index++);
    const std::string file = read_file(folder / record.at("image").get<std::string>());
    bytes += file.size();
    const media::Image image = media::decode_image(file).value();
    EXPECT_EQ(image.width, record.at("width"));
    EXPECT_EQ(image.height, record.at("height"));
    if (record.at("image").get<std::string>().ends_with(".png")) {
      EXPECT_EQ(image, sample.image);
    }
    EXPECT_EQ(record.at("caption"), sample.caption);
    EXPECT_EQ(record.at("qa").size(), sample.qa.size() + sample.statements.size());
    if (record.contains("boxes")) {
      EXPECT_EQ(record.at("boxes").size(), sample.boxes.size());
    }
    EXPECT_EQ(record.contains("label"), !sample.statements.empty());
  }
  EXPECT_EQ(index, 23u);
  EXPECT_EQ(report.bytes, bytes);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sensorium::data
