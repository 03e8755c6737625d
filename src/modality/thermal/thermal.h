// Thermal pictures: heat as brightness, as the eyes see it.
#pragma once

#include <filesystem>

#include "media/image.h"

namespace sensorium::modality {

// Counts of a thermal camera as a grey picture of three equal channels. Heat is relative: the coldest hundredth of the picture is
// black, the hottest hundredth white, everything between in proportion, whatever the camera's unit and offset are. A picture
// without any difference is black. Throws Error(shape) unless there is one channel.
media::Image relative_heat(const media::Image16& counts);

// A thermal picture from a file. Grey of 16 bits goes through relative_heat; 8 bits are relative heat already and stay as they are,
// bit for bit what media::load_image gives. A picture in colours (of a camera that paints heat) becomes the brightness of its
// colours, and a warning says so. Throws Error with the path, as media::load_image.
media::Image load_thermal(const std::filesystem::path& path);

}  // namespace sensorium::modality
