// The kinds of pictures that the eyes see, as a table: photographs, and what other cameras make visible. All of them reach a model
// as pictures of 8 bits; the kind says how a file becomes one, and the word that leads it in.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "media/image.h"

namespace sensorium::modality {

struct PictureKind {
  std::string_view name;   // in records, after --as
  std::string_view input;  // "a thermal picture": for messages
  std::string_view lead;   // stands before the picture in a prompt; "": nothing does
  // Throws Error with the path, as media::load_image.
  media::Image (*load)(const std::filesystem::path& path);
};

// Photographs first.
std::span<const PictureKind> picture_kinds();
// nullptr if there is none.
const PictureKind* find_picture_kind(std::string_view name);
// Whether the name ends as those of picture files do.
bool is_picture_file(const std::filesystem::path& path);

}  // namespace sensorium::modality
