#include "modality/picture_kinds.h"

#include <algorithm>
#include <array>

#include "media/decode.h"
#include "modality/senses.h"
#include "modality/thermal/thermal.h"

namespace sensorium::modality {
namespace {

constexpr std::array<std::string_view, 4> kPictureFiles = {".jpg", ".jpeg", ".png", ".webp"};

media::Image load_photo(const std::filesystem::path& path) { return media::load_image(path); }

constexpr std::array<PictureKind, 2> kKinds = {{
    {.name = "image", .input = "a picture", .lead = "", .load = load_photo},
    {.name = "thermal", .input = "a thermal picture", .lead = "thermal: ", .load = load_thermal},
}};

}  // namespace

std::span<const PictureKind> picture_kinds() { return kKinds; }

const PictureKind* find_picture_kind(std::string_view name) {
  const auto* const found =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const PictureKind& kind) { return kind.name == name; });
  return found == kKinds.end() ? nullptr : found;
}

bool is_picture_file(const std::filesystem::path& path) {
  return std::find(kPictureFiles.begin(), kPictureFiles.end(), lower_extension(path)) != kPictureFiles.end();
}

}  // namespace sensorium::modality
