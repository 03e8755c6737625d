#include "models/checkpoint/canonical_name.h"

#include <string_view>

namespace sensorium::models {
namespace {

constexpr std::string_view kTower = "vision_tower.", kInner = "vision_tower.vision_model.";

// The first prefix that fits is replaced.
struct Prefix {
  std::string_view from, to;
};
constexpr Prefix kPrefixes[] = {{"model.vision_tower.", kTower},
                                {"model.multi_modal_projector.", "multi_modal_projector."},
                                {"model.image_newline", "image_newline"},
                                {"model.language_model.", "model."},
                                {"language_model.", ""}};

}  // namespace

std::string canonical_name(std::string name) {
  for (const Prefix& prefix : kPrefixes) {
    if (!name.starts_with(prefix.from)) continue;
    name = std::string(prefix.to) + name.substr(prefix.from.size());
    break;
  }
  if (name.starts_with(kTower) && !name.starts_with(kInner)) name = std::string(kInner) + name.substr(kTower.size());
  return name;
}

bool is_vision_name(const std::string& name) {
  return name.starts_with(kTower) || name.starts_with("multi_modal_projector.") || name.starts_with("image_newline");
}

}  // namespace sensorium::models
