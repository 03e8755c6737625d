// Samples to picture files, in memory; write them with write_file_atomic.
#pragma once

#include <filesystem>
#include <string>

#include "media/image.h"

namespace sensorium::media {

// `compression`: zlib level 0 (none) .. 9 (smallest). Throws Error(usage) outside it, Error(shape) on an empty picture.
std::string encode_png(const Image& image, int compression = 6);
std::string encode_png(const Image16& image, int compression = 6);
// `quality`: 1..100, chroma at half resolution below 90 as cameras do. Throws as above; sides are at most 65535.
std::string encode_jpeg(const Image& image, int quality = 90);

// By the extension: .png, .jpg or .jpeg, any case. Written atomically. Throws Error(usage) on other extensions, io.
void save_image(const Image& image, const std::filesystem::path& path);

}  // namespace sensorium::media
