// Files on the command line as parts of a message.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "models/model.h"

namespace sensorium::cli {

// --as KIND: what the files are whose names leave it open.
void add_kind_option(CLI::App& command, std::string& as);

// A picture or a recording; a film with sound is two, the sound behind the pictures. `word` is a file, or FILE:KIND. Without a kind of
// its own the file is what `as` says ("image", "thermal", "audio", "imu", "video"; "": not given) if its name allows that, else what
// its name says: "photo.jpg walk.npy --as imu". Warns of photographs that look like the pictures of other cameras. Throws Error:
// usage where nothing says it, and as the readers.
std::vector<models::ChatPart> load_media_parts(const std::string& word, const std::string& as);

}  // namespace sensorium::cli
