// The synthetic world: an endless, seeded supply of pictures that say what they show, for training and testing a model
// offline. Sample `index` of `seed` is always the same, whatever was made before and on however many threads.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/rng.h"
#include "data/world/scene.h"
#include "media/image.h"

namespace sensorium::data {

struct WorldOptions {
  // Names of world_kinds(), drawn in equal shares (a name given twice comes twice as often); empty: all.
  std::vector<std::string> kinds;
  // Width and height are drawn from this range, in pixels, 64..2048. Two kinds keep the sizes that their real
  // counterparts have: "blocks" is 400 x 100, and half of "digits" is 28 x 28.
  int min_side = 160, max_side = 320;
  // At least so many statements about each scene of a kind that has any, as far as they can be found; those that a scene has
  // by itself stay the same.
  int64_t statements = 0;
};

struct QuestionAnswer {
  std::string question, answer;
};

struct WorldBox {
  PixelBox box;
  std::string label;
};

struct WorldSample {
  std::string kind;
  media::Image image;   // RGB, 8 bits
  std::string caption;  // one sentence
  std::string topic;    // the picture's class where it has one ("five", "gear"), else ""
  std::vector<QuestionAnswer> qa;
  std::vector<Statement> statements;  // as often true as false
  std::vector<WorldBox> boxes;
  std::map<std::string, int> count;  // class -> number of boxes, zeros included where a class could have been there
};

// A kind of scene. To add one: a source file in this folder and a line in registry.cpp.
struct WorldKind {
  std::string_view name, description;
  // Makes the scene of about width x height pixels (the kind may choose another size).
  Scene (*compose)(Rng& rng, int width, int height);
  // Says what it shows; the scene has been rendered, so boxes and visibility are known.
  void (*describe)(const Scene& scene, Rng& rng, WorldSample& sample);
};
std::span<const WorldKind> world_kinds();

// Throws Error(usage): unknown kind, sides outside 64..2048, min_side > max_side.
WorldSample generate_world_sample(uint64_t seed, uint64_t index, const WorldOptions& options = {});

// One line of a data set in the format of the real sets: image, width, height, boxes, count, qa, caption, and class,
// sentence and label where the sample has them. Every further statement is a yes/no question in `qa`.
Json world_record(const WorldSample& sample, const std::string& image_path);

// Samples are counted from 0 to one below this.
inline constexpr uint64_t kMaxWorldIndex = 1'000'000'000'000;

// Throws Error(usage) for a name of files of a data set that is none of letters, digits, '-', '_' and '.', or begins with '.'.
void check_dataset_name(const std::string& name);

struct WorldDatasetReport {
  size_t samples = 0;
  uint64_t bytes = 0;
};
// Writes `name`.jsonl and media/<name>_NNNNNN.png or .jpg (photo-like kinds) for samples first..first + count - 1 into
// `directory`, which is made if it is missing. They appear there when all are on the disk, the jsonl last: a failure leaves
// nothing. `name` is of letters, digits, '-', '_' and '.', and does not begin with '.'; first + count is at most
// kMaxWorldIndex. Runs on all threads; looks at interrupted(). Throws Error(io, usage, interrupted).
WorldDatasetReport write_world_dataset(const std::filesystem::path& directory, const std::string& name, uint64_t first,
                                       size_t count, uint64_t seed, const WorldOptions& options = {});

}  // namespace sensorium::data
