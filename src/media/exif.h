// The one thing that is read from a camera's EXIF block: which way is up.
#pragma once

#include <cstdint>
#include <span>

namespace sensorium::media::detail {

// Tag 0x0112 of the first directory of a TIFF block (Exif 2.32, 4.6.4; TIFF 6.0, section 2), with or without the
// leading "Exif\0\0". 1, the normal orientation, if the block is damaged or says nothing.
int exif_orientation(std::span<const uint8_t> block);

}  // namespace sensorium::media::detail
