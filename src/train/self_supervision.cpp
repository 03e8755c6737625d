#include "train/self_supervision.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "models/sensorium/objectives.h"

namespace sensorium::train {
namespace {

constexpr int kPatch = models::ObjectiveHeads::kPatch;
// The least mean difference between neighbouring frames that is motion, in the units of the encoder of pictures (-2..2): a few grey
// values in a tenth of the picture.
constexpr double kLeastMotion = 0.005;

// `whole` in `parts` random summands of at least `least`; those of `free_ends` at both ends may be 0.
std::vector<size_t> random_parts(size_t whole, size_t parts, size_t least_inside, bool free_ends, Rng& rng) {
  std::vector<size_t> sizes(parts, least_inside);
  if (free_ends) sizes.front() = sizes.back() = 0;
  const size_t used = std::accumulate(sizes.begin(), sizes.end(), size_t{0});
  for (size_t i = used; i < whole; ++i) ++sizes[rng.below(parts)];
  return sizes;
}

double motion_of(const modality::Signal& film) {
  const auto frame = static_cast<int64_t>(film.values.size()) / film.frames;
  double sum = 0;
  for (int64_t i = frame; i < static_cast<int64_t>(film.values.size()); ++i)
    sum += std::abs(film.values[static_cast<size_t>(i)] - film.values[static_cast<size_t>(i - frame)]);
  return sum / static_cast<double>(film.values.size());
}

}  // namespace

std::vector<std::pair<size_t, size_t>> hidden_spans(size_t tokens, double share, double mean, Rng& rng) {
  if (tokens < 2) return {};
  const auto rounded = [](double x) { return static_cast<size_t>(std::lround(x)); };
  const size_t hidden = std::clamp(rounded(share * static_cast<double>(tokens)), size_t{1}, tokens - 1);
  const size_t spans =
      std::clamp(rounded(static_cast<double>(hidden) / mean), size_t{1}, std::min(hidden, tokens - hidden + 1));
  const std::vector<size_t> sizes = random_parts(hidden, spans, 1, false, rng);
  const std::vector<size_t> gaps = random_parts(tokens - hidden, spans + 1, 1, true, rng);
  std::vector<std::pair<size_t, size_t>> result;
  for (size_t i = 0, at = 0; i < spans; ++i) {
    at += gaps[i];
    result.emplace_back(at, at + sizes[i]);
    at += sizes[i];
  }
  return result;
}

void write_masked(models::TokenSequence& sequence, std::span<const int32_t> text,
                  std::span<const std::pair<size_t, size_t>> hidden, const models::PromptWriter& writer) {
  const int32_t gap = writer.special().pad;
  size_t shown = 0;
  for (const auto& [begin, end] : hidden) {
    sequence.push(text.subspan(shown, begin - shown));
    sequence.push(gap);
    shown = end;
  }
  sequence.push(text.subspan(shown));
  writer.end_turn(sequence);
  writer.begin_turn(sequence, "assistant");
  for (size_t i = 0; i < hidden.size(); ++i) {
    if (i > 0) sequence.push(gap, 1.0f);
    sequence.push(text.subspan(hidden[i].first, hidden[i].second - hidden[i].first), 1.0f);
  }
  writer.end_turn(sequence, 1.0f);
}

std::vector<uint8_t> hidden_patches(int height, int width, double share, Rng& rng) {
  const int64_t rows = modality::ImageEncoder::tokens_along(height),
                columns = modality::ImageEncoder::tokens_along(width);
  std::vector<size_t> whole;
  for (int64_t y = 0; y < height / kPatch; ++y) {
    for (int64_t x = 0; x < width / kPatch; ++x) whole.push_back(static_cast<size_t>(y * columns + x));
  }
  if (whole.empty()) return {};
  rng.shuffle(whole);
  whole.resize(std::max<size_t>(1, static_cast<size_t>(share * static_cast<double>(whole.size()))));
  std::vector<uint8_t> hidden(static_cast<size_t>(rows * columns));
  for (const size_t cell : whole) hidden[cell] = 1;
  return hidden;
}

std::vector<int> asked_order(const modality::Signal& film, Rng& rng) {
  if (film.frames < 3 || motion_of(film) < kLeastMotion) return {};
  std::vector<int> order(static_cast<size_t>(film.frames));
  std::iota(order.begin(), order.end(), 0);
  if (rng.chance(0.5)) return order;
  while (std::ranges::is_sorted(order) || std::ranges::is_sorted(order, std::greater())) rng.shuffle(order);
  return order;
}

}  // namespace sensorium::train
