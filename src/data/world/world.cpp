#include "data/world/world.h"

#include <algorithm>

#include "data/world/render.h"

namespace sensorium::data {
namespace {

constexpr int kLowestSide = 64, kHighestSide = 2048;
constexpr int kMostStatements = 100;
// A thing of which less shows is not spoken about: people would not see it, or not agree.
constexpr float kLeastVisibleShare = 0.3f;
constexpr int kLeastVisiblePixels = 6;

std::vector<const WorldKind*> chosen_kinds(const WorldOptions& options) {
  std::vector<const WorldKind*> kinds;
  std::vector<std::string> names;
  for (const WorldKind& kind : world_kinds()) {
    names.emplace_back(kind.name);
    if (options.kinds.empty()) kinds.push_back(&kind);
  }
  for (const std::string& name : options.kinds) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      const std::string near = nearest_match(name, names);
      fail(ErrorKind::usage, "the synthetic world has no kind '{}'; {}", name,
           near.empty() ? fmt::format("known: {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near));
    }
    kinds.push_back(&world_kinds()[static_cast<size_t>(found - names.begin())]);
  }
  return kinds;
}

// Drops every item whose key an earlier one has.
template <typename Item, typename Key>
void drop_repeats(std::vector<Item>& items, Key key) {
  std::vector<Item> kept;
  for (Item& item : items) {
    const bool repeats =
        std::any_of(kept.begin(), kept.end(), [&](const Item& earlier) { return key(earlier) == key(item); });
    if (!repeats) kept.push_back(std::move(item));
  }
  items = std::move(kept);
}

}  // namespace

WorldSample generate_world_sample(uint64_t seed, uint64_t index, const WorldOptions& options) {
  require(options.min_side >= kLowestSide && options.max_side <= kHighestSide && options.min_side <= options.max_side,
          ErrorKind::usage, "synthetic pictures with sides from {} to {} pixels; want {} <= min_side <= max_side <= {}",
          options.min_side, options.max_side, kLowestSide, kHighestSide);
  require(options.statements >= 0 && options.statements <= kMostStatements, ErrorKind::usage,
          "{} statements about a scene; want 0 to {}", options.statements, kMostStatements);
  const std::vector<const WorldKind*> kinds = chosen_kinds(options);
  Rng rng = Rng::for_item(seed, index);
  const WorldKind& kind = *rng.pick(kinds);
  const int width = static_cast<int>(rng.integer(options.min_side, options.max_side));
  const int height = static_cast<int>(rng.integer(options.min_side, options.max_side));
  Scene scene = kind.compose(rng, width, height);
  WorldSample sample;
  sample.kind = kind.name;
  sample.image = render_picture(scene).image;
  for (Thing& thing : scene.things) {
    const bool seen = thing.visible_share >= kLeastVisibleShare && thing.visible_pixels >= kLeastVisiblePixels;
    thing.annotated = thing.annotated && seen;
  }
  sample.topic = scene.topic;
  sample.statements = scene.statements;
  kind.describe(scene, rng, sample);
  if (scene.draw_statement) {
    for (auto given = static_cast<int64_t>(scene.statements.size()); given < options.statements; ++given) {
      if (std::optional<Statement> more = scene.draw_statement(rng)) sample.statements.push_back(std::move(*more));
    }
  }
  drop_repeats(sample.qa, [](const QuestionAnswer& pair) { return pair.question; });
  drop_repeats(sample.statements, [](const Statement& statement) { return statement.text; });
  return sample;
}

Json world_record(const WorldSample& sample, const std::string& image_path) {
  Json record = {{"image", image_path},
                 {"width", sample.image.width},
                 {"height", sample.image.height},
                 {"kind", sample.kind},
                 {"caption", sample.caption}};
  if (!sample.topic.empty()) record["class"] = sample.topic;
  Json boxes = Json::array();
  for (const WorldBox& box : sample.boxes) boxes.push_back({{"box", box.box}, {"class", box.label}});
  // A picture of a kind without boxes has no such field: an empty list would say that there is nothing to find.
  if (!sample.count.empty()) {
    record["boxes"] = std::move(boxes);
    record["count"] = sample.count;
  }
  Json qa = Json::array();
  for (const QuestionAnswer& pair : sample.qa) qa.push_back({{"q", pair.question}, {"a", pair.answer}});
  for (const Statement& statement : sample.statements) {
    qa.push_back({{"q", "Is this statement true? " + statement.text}, {"a", statement.truth ? "yes" : "no"}});
  }
  record["qa"] = std::move(qa);
  if (!sample.statements.empty()) {
    record["sentence"] = sample.statements[0].text;
    record["label"] = sample.statements[0].truth;
  }
  return record;
}

}  // namespace sensorium::data
