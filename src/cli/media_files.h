// Files on the command line as parts of a message.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "models/model.h"

namespace sensorium::cli {

// What is said about files whose names leave it open.
struct MediaFlags {
  std::string as;          // a kind: "image", "thermal", "audio", "imu", "video", "depth"; "": not given
  std::string depth_unit;  // "mm" or "m"; "": millimetres in pictures, metres in arrays
  const models::ModelFamily* family = nullptr;  // of the model that is asked, which says how it watches films
};
// --as KIND, --depth-unit UNIT.
void add_media_options(CLI::App& command, MediaFlags& flags);

// A picture or a recording; a film with sound is two, the sound behind the pictures. `word` is a file, or FILE:KIND. Without a kind of
// its own the file is what --as says if its name allows that, else what its name says: "photo.jpg walk.npy --as imu". Warns of photographs that look like the pictures of other cameras. Throws Error:
// usage where nothing says it, and as the readers.
std::vector<models::ChatPart> load_media_parts(const std::string& word, const MediaFlags& flags);

}  // namespace sensorium::cli
