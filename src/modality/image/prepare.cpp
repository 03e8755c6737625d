#include "modality/image/prepare.h"

#include <algorithm>
#include <cmath>

#include "base/threads.h"
#include "media/resize.h"

namespace sensorium::modality {

PreparedSize prepared_size(int width, int height, const ImagePrepareConfig& config) {
  require(width > 0 && height > 0, ErrorKind::shape, "a picture of {} x {} pixels", width, height);
  double w = width, h = height;
  const double aspect = static_cast<double>(config.max_aspect);
  w = std::min(w, h * aspect);
  h = std::min(h, w * aspect);
  double factor = std::max(1.0, static_cast<double>(config.min_side) / std::min(w, h));
  const double most = std::sqrt(static_cast<double>(config.max_pixels) / (w * h));
  // At the limit sides are rounded down: the result keeps to it, and preparing it again changes nothing.
  const auto side = [&](double length) {
    return std::max(16,
                    factor < most ? static_cast<int>(std::lround(length * factor)) : static_cast<int>(length * most));
  };
  return {side(w), side(h)};
}

media::Image resize_for_model(const media::Image& image, const ImagePrepareConfig& config) {
  const PreparedSize size = prepared_size(image.width, image.height, config);
  if (size.width == image.width && size.height == image.height) return image;
  return media::resize(image, size.width, size.height, media::ResizeFilter::bilinear);
}

PreparedImages pack_images(std::span<const media::Image* const> images, DType dtype) {
  PreparedImages result;
  for (const media::Image* image : images) {
    result.pictures.heights.push_back(image->height);
    result.pictures.widths.push_back(image->width);
  }
  const std::vector<int64_t> offsets = result.pictures.offsets();
  result.pixels_P3 = Tensor::empty({offsets.back(), 3}, dtype);
  parallel_for(static_cast<int64_t>(images.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const media::Image& image = *images[static_cast<size_t>(i)];
      const int64_t first = offsets[static_cast<size_t>(i)] * 3;
      const int64_t count = int64_t{image.width} * image.height;
      for (int64_t p = 0; p < count; ++p) {
        for (int64_t c = 0; c < 3; ++c) {
          const uint8_t value = image.pixels[static_cast<size_t>(image.channels == 3 ? p * 3 + c : p)];
          const float normalised = (static_cast<float>(value) * (1.0f / 255.0f) - 0.5f) * 4.0f;
          if (dtype == DType::f32) {
            result.pixels_P3.data<float>()[first + p * 3 + c] = normalised;
          } else {
            result.pixels_P3.data<bf16>()[first + p * 3 + c] = bf16(normalised);
          }
        }
      }
    }
  });
  return result;
}

}  // namespace sensorium::modality
