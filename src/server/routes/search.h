// POST /api/search over the folder of `serve --index`, and its files.
#pragma once

#include <array>

#include "server/routes/route.h"

namespace sensorium::server {

inline constexpr std::array kSearchFields = std::to_array<Field>({
    {"query", kString | kObject | kArray, true,
     "a text, a data URL of a picture, sound or film, a part of a message, or a list of parts whose vectors are "
     "joined"},
    {"limit", kInteger, false, "results, 1..1000 (20)"},
    {"senses", kArray, false, "what is to be found: [text, image, video, audio]; without it, everything"},
});

// Whether there is a folder, and what can be found in it.
void get_search(Call& call);
void search_folder(Call& call);
// A file of the folder; one range of bytes, where the client asks for it.
void get_searched_file(Call& call);

}  // namespace sensorium::server
