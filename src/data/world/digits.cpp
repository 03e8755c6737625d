// Handwritten digits: one, as in a box of a form (half of them 28 x 28, white on black, fitted to 20 x 20 as the MNIST
// database does), or a number of two to four digits in a row.
#include <algorithm>
#include <cmath>

#include "data/world/glyphs.h"
#include "data/world/kinds.h"
#include "data/world/objects.h"
#include "data/world/phrases.h"

namespace sensorium::data {
namespace {

constexpr int kThumbnailSide = 28;

// One writer's hand: how all digits of a number are slanted, stretched and drawn.
struct Hand {
  float slant, aspect, turn, wobble, pen;  // pen: width as a share of the height

  explicit Hand(Rng& rng)
      : slant(static_cast<float>(0.22 * rng.normal())),
        aspect(static_cast<float>(rng.uniform(0.55, 0.95))),
        turn(static_cast<float>(0.1 * rng.normal())),
        wobble(static_cast<float>(rng.uniform(0.01, 0.035))),
        pen(static_cast<float>(rng.uniform(0.075, 0.2))) {}
};

// The digit written by the hand, scaled to fit width x height around the centre.
Thing write_digit(int digit, const Hand& hand, Vec2 center, float width, float height, Rgb ink, Rng& rng) {
  Strokes strokes = handwritten_digit(digit, hand.wobble, rng);
  const float turn = hand.turn + static_cast<float>(0.04 * rng.normal());
  const float aspect = hand.aspect * (digit == 1 ? 0.7f : 1.0f);
  const Transform shape{
      aspect * std::cos(turn), -std::sin(turn) - hand.slant, aspect * std::sin(turn), std::cos(turn), 0, 0};
  Vec2 low{1e9f, 1e9f}, high{-1e9f, -1e9f};
  for (std::vector<Vec2>& stroke : strokes) {
    for (Vec2& p : stroke) {
      p = shape(p);
      low = {std::min(low.x, p.x), std::min(low.y, p.y)};
      high = {std::max(high.x, p.x), std::max(high.y, p.y)};
    }
  }
  const float pen = hand.pen * std::min(width, height);
  const float scale = std::min((width - pen) / std::max(0.05f, high.x - low.x), (height - pen) / (high.y - low.y));
  const Transform place{
      scale, 0, 0, scale, center.x - 0.5f * scale * (low.x + high.x), center.y - 0.5f * scale * (low.y + high.y)};
  Part part = {.form = Form::stroke, .lines = std::move(strokes), .pen_width = pen, .paint = flat(ink)};
  for (std::vector<Vec2>& stroke : part.lines) {
    for (Vec2& p : stroke) p = place(p);
  }
  Thing thing;
  thing.name = "digit";
  thing.text = std::to_string(digit);
  thing.parts.push_back(std::move(part));
  return thing;
}

// Ink and paper of clearly different lightness.
struct Sheet {
  Rgb ink;
  Paint paper;
};
Sheet random_sheet(Rng& rng) {
  const auto tone = [&](double low, double high) {
    const float grey = static_cast<float>(rng.uniform(low, high));
    const auto channel = [&] { return std::clamp(grey + static_cast<float>(rng.uniform(-25, 25)), 0.0f, 255.0f); };
    return Rgb{channel(), channel(), channel()};
  };
  Rgb dark = tone(5, 80), light = tone(175, 250);
  const bool chalk = rng.chance(0.35);
  Sheet sheet{chalk ? light : dark, {}};
  sheet.paper.color = chalk ? dark : light;
  sheet.paper.second = mix(sheet.paper.color, {128, 128, 128}, 0.25f);
  static constexpr Fill kFills[] = {Fill::flat, Fill::linear, Fill::clouds};
  sheet.paper.fill = rng.pick(kFills);
  sheet.paper.angle = static_cast<float>(rng.uniform(0, 6.28));
  sheet.paper.period = static_cast<float>(rng.uniform(10, 60));
  sheet.paper.seed = static_cast<uint32_t>(rng.next());
  sheet.paper.grain = static_cast<float>(rng.uniform(0, 10));
  return sheet;
}

// The number that the digits of the scene spell, from left to right.
std::string number_of(const Scene& scene) {
  std::string number;
  for (const Thing& thing : scene.things) number += thing.text;
  return number;
}

}  // namespace

Scene compose_digits(Rng& rng, int width, int height) {
  const int digits = rng.chance(0.7) ? 1 : static_cast<int>(rng.integer(2, 4));
  const bool thumbnail = digits == 1 && rng.chance(0.72);  // 0.7 x 0.72: half of all
  Scene scene{.width = width, .height = height};
  const Hand hand(rng);
  if (thumbnail) {
    scene.width = scene.height = kThumbnailSide;
    const Vec2 center{14 + static_cast<float>(rng.normal()) * 0.6f, 14 + static_cast<float>(rng.normal()) * 0.6f};
    const int digit = static_cast<int>(rng.below(10));
    scene.things.push_back(write_digit(digit, hand, center, 20, 20, {255, 255, 255}, rng));
    scene.things.back().annotated = false;
    scene.topic = number_word(digit);
    return scene;
  }
  const Sheet sheet = random_sheet(rng);
  scene.background = sheet.paper;
  if (rng.chance(0.3)) {  // ruled paper
    Thing rules;
    rules.annotated = false;
    const float step = static_cast<float>(height) / static_cast<float>(rng.integer(3, 8));
    const Paint line = flat(mix(sheet.paper.color, {90, 130, 200}, 0.35f));
    for (float y = 0.5f * step; y < static_cast<float>(height); y += step) {
      rules.parts.push_back(filled(rectangle(0, y, static_cast<float>(width), y + 1), line));
    }
    scene.things.push_back(std::move(rules));
  }
  const float cell = static_cast<float>(width) / static_cast<float>(digits);
  const float tall = std::min(static_cast<float>(height), cell * 1.5f) * static_cast<float>(rng.uniform(0.45, 0.8));
  const float wide = std::min(0.88f * cell, tall);
  const float y = static_cast<float>(rng.uniform(0.5 * tall + 2, height - 0.5 * tall - 2));
  for (int i = 0; i < digits; ++i) {
    const int digit = static_cast<int>(i == 0 && digits > 1 ? rng.integer(1, 9) : rng.integer(0, 9));
    const float lift = 0.04f * tall * static_cast<float>(rng.normal());
    const Vec2 center{cell * (static_cast<float>(i) + 0.5f),
                      std::clamp(y + lift, 0.5f * tall + 1, static_cast<float>(height) - 0.5f * tall - 1)};
    scene.things.push_back(write_digit(digit, hand, center, wide, tall, sheet.ink, rng));
  }
  scene.topic = digits == 1 ? number_word(std::stoi(number_of(scene))) : "";
  scene.camera = plain_camera(rng);
  return scene;
}

void describe_digits(const Scene& scene, Rng& rng, WorldSample& sample) {
  const std::string number = number_of(scene);
  const int value = std::stoi(number);
  if (scene.width != kThumbnailSide) add_boxes(scene, sample);
  if (number.size() == 1) {
    sample.caption = "The handwritten digit " + number_word(value) + ".";
    sample.qa.push_back({"Which digit is written here?", number_word(value)});
  } else {
    sample.caption = "The handwritten number " + number + ".";
    sample.qa.push_back({"Which number is written here?", number});
    sample.qa.push_back({"How many digits are there?", std::to_string(number.size())});
    const size_t at = rng.below(2) == 0 ? 0 : number.size() - 1;
    sample.qa.push_back(
        {at == 0 ? "What is the first digit?" : "What is the last digit?", number_word(number[at] - '0')});
  }
  const std::string noun = number.size() == 1 ? "digit" : "number";
  sample.qa.push_back({"Is the " + noun + " even?", yes_no(value % 2 == 0)});
  add_balanced_statement(sample, rng, [&](Rng& r) -> Statement {
    int top = 9;
    for (size_t i = 1; i < number.size(); ++i) top = top * 10 + 9;
    const int said = r.chance(0.4) ? value : static_cast<int>(r.integer(number.size() == 1 ? 0 : top / 10, top));
    const std::string words = number.size() == 1 ? number_word(said) : std::to_string(said);
    if (r.chance(0.5)) return {"The " + noun + " is " + words + ".", value == said};
    return {"The " + noun + " is larger than " + words + ".", value > said};
  });
}

}  // namespace sensorium::data
