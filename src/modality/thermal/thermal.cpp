#include "modality/thermal/thermal.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "media/decode.h"

namespace sensorium::modality {
namespace {

constexpr double kOutside =
    0.01;  // of the pixels, at each end of the scale: a single hot spot does not darken the rest

// The least value that at most `share` of the pixels lie below.
int quantile(const std::vector<int64_t>& histogram, int64_t pixels, double share) {
  const auto below = static_cast<int64_t>(share * static_cast<double>(pixels));
  int64_t seen = 0;
  for (size_t value = 0; value < histogram.size(); ++value) {
    seen += histogram[value];
    if (seen > below) return static_cast<int>(value);
  }
  return static_cast<int>(histogram.size()) - 1;
}

// JPEG spreads grey over three channels that differ by rounding.
constexpr int kGreyTolerance = 8;

bool is_grey(const media::Image& image) {
  for (size_t i = 0; i + 2 < image.pixels.size(); i += 3) {
    const auto [low, high] = std::minmax({image.pixels[i], image.pixels[i + 1], image.pixels[i + 2]});
    if (high - low > kGreyTolerance) return false;
  }
  return true;
}

// ITU-R BT.601, as Pillow makes grey of colours.
void to_brightness(media::Image& image) {
  for (size_t i = 0; i + 2 < image.pixels.size(); i += 3) {
    const int brightness = (299 * image.pixels[i] + 587 * image.pixels[i + 1] + 114 * image.pixels[i + 2] + 500) / 1000;
    std::fill_n(image.pixels.begin() + static_cast<int64_t>(i), 3, static_cast<uint8_t>(brightness));
  }
}

}  // namespace

media::Image relative_heat(const media::Image16& counts) {
  require(counts.channels == 1, ErrorKind::shape, "a thermal picture of {} channels; want one", counts.channels);
  std::vector<int64_t> histogram(size_t{1} << 16);
  for (const uint16_t count : counts.pixels) ++histogram[count];
  const auto pixels = static_cast<int64_t>(counts.pixels.size());
  const int cold = quantile(histogram, pixels, kOutside), hot = quantile(histogram, pixels, 1 - kOutside);
  media::Image image(counts.width, counts.height, 3);
  if (hot <= cold) return image;
  for (size_t i = 0; i < counts.pixels.size(); ++i) {
    const int above = std::clamp<int>(counts.pixels[i], cold, hot) - cold;
    const auto value = static_cast<uint8_t>((255 * above + (hot - cold) / 2) / (hot - cold));
    std::fill_n(image.pixels.begin() + static_cast<int64_t>(3 * i), 3, value);
  }
  return image;
}

media::Image load_thermal(const std::filesystem::path& path) {
  const std::string bytes = read_file(path, media::DecodeLimits().max_file_bytes);
  try {
    const media::ImageInfo info = media::read_image_info(bytes).value();
    if (info.bits_per_channel == 16 && info.file_channels == 1)
      return relative_heat(media::decode_grey16(media::as_byte_span(bytes)).value());
    media::Image image = media::decode_image(bytes).value();
    if (is_grey(image)) return image;
    log_warning("{}: is in colours, a thermal picture has one channel; the brightness of the colours is taken for heat",
                path.string());
    to_brightness(image);
    return image;
  } catch (const Error& error) {
    throw error.with_context(path.string());
  }
}

}  // namespace sensorium::modality
