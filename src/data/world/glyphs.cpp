#include "data/world/glyphs.h"

#include <algorithm>

#include "data/world/scene.h"

namespace sensorium::data {
namespace {

// Strokes as text: two base-16 digits x, y a point; a blank ends a stroke; ~ makes it a smooth curve.

// Handwriting on a grid of 0..F in both directions, one line per way of writing.
struct HandDigit {
  int digit;
  std::string_view strokes;
};
constexpr HandDigit kHand[] = {
    {0, "~8023194FAFEAD480"},
    {0, "~A04218375D9FFBE3A070"},
    {0, "~60131A5EBFF9F3A050"},
    {1, "708F"},
    {1, "~A0877F"},
    {1, "~4380 807F"},
    {1, "~3470 707F 3FBF"},
    {2, "~2470C0D4A86C1F 1FEF"},
    {2, "~135190D3C87C2F1D4B9EEE"},
    {2, "~13600090D297 971F 1FEF"},
    {2, "~2360A0D3B6591E 1EDE"},
    {3, "~1170C2C56767 67D8DDAF5F1D"},
    {3, "10D0 D067 ~67B7DADD9F4F1D"},
    {3, "~2280C1C46686D9DD8F2E"},
    {4, "5018E8 B2AF"},
    {4, "BFB01AFA"},
    {4, "~4027 2788E7 ~E19F"},
    {4, "~202628 28C8 C1BF"},
    {5, "D040 4036 ~3686D8DCAF5F1D"},
    {5, "E040 ~40373797C8DBBE7F2E"},
    {5, "F050 5027 ~2766B5E9DC9F3F0D"},
    {6, "~B063271B3F9FDCB858291B"},
    {6, "~9052161B3F9FDCD9A75829"},
    {6, "~C08235191D4FAFDCB878391B"},
    {6, "~803419 ~191D5FAFDCB9683A"},
    {7, "11E0 ~E0956F"},
    {7, "10E0E05F 48C8"},
    {7, "~2410 10D1 ~D1A66F"},
    {8, "~C250423588CBBE7F3D4A97C4B150"},
    {8, "~D28030246795DCAF5F1C3888B5C27030"},
    {8, "~8031368A CB9F4F1B68A5C280"},
    {9, "~D38031257796C3 C3BAAF"},
    {9, "~E480202678B7E2DA9F"},
    {9, "~C180201578A8D1 D1CF"},
};

// Print on a grid of 0..8 by 0..B: capitals from 0 to the baseline 8, small letters from 3, tails down to B.
struct Letter {
  char letter;
  std::string_view strokes;
};
constexpr Letter kLetters[] = {
    {'A', "083068 1555"},
    {'B', "0008 ~003051533404 ~044465674808"},
    {'C', "~6140200206284867"},
    {'D', "0008 ~003063653808"},
    {'E', "60000868 0454"},
    {'F', "600008 0454"},
    {'G', "~6140200206284866 666434"},
    {'H', "0008 6068 0464"},
    {'I', "1018"},
    {'J', "~50563807"},
    {'K', "0008 600568"},
    {'L', "000858"},
    {'M', "0800346068"},
    {'N', "08006860"},
    {'O', "~204062664828060220"},
    {'P', "0008 ~003051533404"},
    {'Q', "~204062664828060220 4569"},
    {'R', "0008 ~003051533404 2468"},
    {'S', "~614020010324446567482807"},
    {'T', "0060 3038"},
    {'U', "~0004062848666460"},
    {'V', "003860"},
    {'W', "0018335860"},
    {'X', "0068 6008"},
    {'Y', "003460 3438"},
    {'Z', "00600868"},
    {'a', "5358 ~5433230506283857"},
    {'b', "0008 ~0423335556382807"},
    {'c', "~5443230506284857"},
    {'d', "5058 ~5433230506283857"},
    {'e', "0555 ~555443230506284857"},
    {'f', "~40212328 0343"},
    {'g', "~5433230506283857 ~53585A3B1B0A"},
    {'h', "0008 ~0523435558"},
    {'i', "1318 11"},
    {'j', "~23291B0A 21"},
    {'k', "0008 430658"},
    {'l', "1018"},
    {'m', "0308 ~0513334548 ~4553738588"},
    {'n', "0308 ~0523435558"},
    {'o', "~234365664828060523"},
    {'p', "030B ~0423335556382807"},
    {'q', "535B ~5433230506283857"},
    {'r', "0308 ~052343"},
    {'s', "~54330435573807"},
    {'t', "~20263857 0343"},
    {'u', "~030506284856 5358"},
    {'v', "033863"},
    {'w', "0318345863"},
    {'x', "0358 5308"},
    {'y', "0338 631B"},
    {'z', "03530858"},
};

float hex(char c) { return static_cast<float>(c <= '9' ? c - '0' : c - 'A' + 10); }

Strokes parse_strokes(std::string_view text, Vec2 unit, float wobble, Rng& rng) {
  Strokes strokes;
  while (!text.empty()) {
    std::string_view stroke = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), stroke.size() + 1));
    const bool smooth = stroke.starts_with('~');
    if (smooth) stroke.remove_prefix(1);
    std::vector<Vec2> points;
    for (size_t i = 0; i + 1 < stroke.size(); i += 2) {
      points.push_back({hex(stroke[i]) * unit.x, hex(stroke[i + 1]) * unit.y});
      if (wobble > 0) {
        points.back().x += wobble * static_cast<float>(rng.normal());
        points.back().y += wobble * static_cast<float>(rng.normal());
      }
    }
    strokes.push_back(smooth ? smooth_open(points) : std::move(points));
  }
  return strokes;
}

}  // namespace

Strokes handwritten_digit(int digit, float wobble, Rng& rng) {
  std::vector<std::string_view> ways;
  for (const HandDigit& way : kHand) {
    if (way.digit == digit) ways.push_back(way.strokes);
  }
  return parse_strokes(rng.pick(ways), {1.0f / 15, 1.0f / 15}, wobble, rng);
}

Strokes write_line(std::string_view text, float spacing, float wobble, Rng& rng) {
  Strokes out;
  float x = 0;
  for (const char c : text) {
    const auto* const letter = std::find_if(std::begin(kLetters), std::end(kLetters),
                                            [c](const Letter& candidate) { return candidate.letter == c; });
    if (c == ' ') x += 0.5f;
    if (letter == std::end(kLetters)) continue;
    float width = 0;
    for (std::vector<Vec2>& stroke : parse_strokes(letter->strokes, {0.1f, 0.125f}, wobble, rng)) {
      for (Vec2& p : stroke) {
        width = std::max(width, p.x);
        p.x += x;
      }
      out.push_back(std::move(stroke));
    }
    x += width + spacing;
  }
  return out;
}

}  // namespace sensorium::data
