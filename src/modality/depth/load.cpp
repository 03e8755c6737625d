#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "io/npy.h"
#include "media/decode.h"
#include "modality/depth/depth.h"

namespace sensorium::modality {
namespace {

constexpr double kMillimetre = 1e-3;

// 0 for what is no distance.
float distance(double metres) { return metres > 0 && metres <= kFarthestM ? static_cast<float>(metres) : 0.0f; }

DepthPicture from_array(const std::filesystem::path& path, double unit_m) {
  const Tensor array = io::read_npy(path).to(DType::f32);
  require(array.rank() == 2 && array.elements() > 0, ErrorKind::invalid_data,
          "an array {}, expected distances [height, width]", array.shape());
  DepthPicture depth{static_cast<int>(array.dim(1)), static_cast<int>(array.dim(0)), {}};
  for (const float value : array.span<float>()) depth.metres.push_back(distance(static_cast<double>(value) * unit_m));
  return depth;
}

DepthPicture from_picture(const std::filesystem::path& path, double unit_m) {
  const std::string bytes = read_file(path, media::DecodeLimits().max_file_bytes);
  const media::ImageInfo info = media::read_image_info(bytes).value();
  require(info.bits_per_channel == 16 && info.file_channels == 1, ErrorKind::invalid_data,
          "{} bits in {} channels, expected distances: a grey PNG of 16 bits, or .npy", info.bits_per_channel,
          info.file_channels);
  const media::Image16 counts = media::decode_grey16(media::as_byte_span(bytes)).value();
  DepthPicture depth{counts.width, counts.height, {}};
  for (const uint16_t count : counts.pixels) depth.metres.push_back(distance(count * unit_m));
  return depth;
}

}  // namespace

DepthPicture load_depth(const std::filesystem::path& path, const RecordingOptions& options) {
  try {
    const bool array = lower_extension(path) == ".npy";
    DepthPicture depth = array ? from_array(path, options.depth_unit_m.value_or(1))
                               : from_picture(path, options.depth_unit_m.value_or(kMillimetre));
    const bool measured =
        std::any_of(depth.metres.begin(), depth.metres.end(), [](float metres) { return metres > 0; });
    require(measured, ErrorKind::invalid_data,
            "no distance within 0..{} m in it; is the unit right? (--depth-unit mm|m)", kFarthestM);
    return depth;
  } catch (const Error& error) {
    throw error.with_context(path.string());
  }
}

}  // namespace sensorium::modality
