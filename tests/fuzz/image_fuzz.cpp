// Any bytes give an error, or a picture within the limits.
// Seeds: tests/golden/media
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "media/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sensorium::media;  // NOLINT
  const std::span<const uint8_t> bytes(data, size);
  const DecodeLimits limits{.max_pixels = 1 << 18};
  const auto info = read_image_info(bytes, limits);
  const auto image = decode_image(bytes, limits);
  if (image.ok()) {
    const Image& picture = image.value();
    if (!info.ok() || info.value().width != picture.width || info.value().height != picture.height) std::abort();
    if (picture.channels != 3 || picture.pixels.size() != picture.row_samples() * static_cast<size_t>(picture.height)) {
      std::abort();
    }
  }
  (void)decode_image(bytes, limits, {.min_side_hint = 8});
  (void)decode_grey16(bytes, limits);
  return 0;
}
