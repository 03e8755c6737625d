// Files on the command line as parts of a message.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

#include "models/model.h"

namespace sensorium::cli {

// --as KIND: what the files are whose names do not say it.
void add_kind_option(CLI::App& command, std::string& as);

// A picture or a recording. The name's ending says which, unless it leaves it open (.npy) or `as` names another kind
// ("image", "audio", "imu"; "": not given); files of other known endings keep theirs: "photo.jpg walk.npy --as imu". Throws
// Error: usage where neither says it, and as the readers.
models::ChatPart load_media_part(const std::string& file, const std::string& as);

}  // namespace sensorium::cli
