// Picture files to samples: JPEG, PNG and WebP, told apart by their bytes and never by the file's name. All functions
// on bytes treat them as hostile: they return an Error and never crash, hang or allocate beyond the limits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "media/image.h"

namespace sensorium::media {

using ByteSpan = std::span<const uint8_t>;

inline ByteSpan as_byte_span(std::string_view bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

// Checked against the header, before any memory for pixels is taken.
struct DecodeLimits {
  int64_t max_pixels = 178'956'970;  // 2^31 / 12: where Pillow too refuses (twice its MAX_IMAGE_PIXELS)
  int64_t max_side = 65'535;         // what JPEG can hold
  size_t max_file_bytes = size_t{1} << 30;
};

struct DecodeOptions {
  // If > 0, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size as long as its shorter side keeps this many pixels.
  // Faster, but not the same pixels as decode-then-resize: off by default.
  int min_side_hint = 0;
};

// From the header alone.
struct ImageInfo {
  std::string_view format;    // "JPEG", "PNG", "WebP"
  int width = 0, height = 0;  // of the decoded picture, that is after the EXIF orientation has been applied
  int file_channels = 0;      // as stored: 1 grey, 2 grey + alpha, 3 colour, 4 colour + alpha or CMYK
  int bits_per_channel = 8;
  int orientation = 1;  // EXIF tag 0x0112, 1..8; 1 if absent or invalid
  bool has_alpha = false;
  bool animated = false;
};

// Errors: invalid_data (not a picture, or damaged), unsupported (a known format that this build does not read), limit.
Result<ImageInfo> read_image_info(ByteSpan bytes, const DecodeLimits& limits = {});

// Always 8-bit RGB, upright (EXIF orientation applied). Grey becomes R = G = B, 16 bits keep their high byte, alpha is
// composited over white, CMYK is converted without a colour profile as Pillow does. An animation gives its first frame.
// A truncated file is an error, and so is damage that the format's own codes and checksums betray; flipped bits of a JPEG
// that make other valid codes cannot be told from a picture.
Result<Image> decode_image(ByteSpan bytes, const DecodeLimits& limits = {}, const DecodeOptions& options = {});

// A grey PNG of 16 bits (or fewer, then scaled to the full range) without loss; other files are Error(unsupported).
Result<Image16> decode_grey16(ByteSpan bytes, const DecodeLimits& limits = {});

// The same on std::string, what read_file gives.
inline Result<ImageInfo> read_image_info(std::string_view bytes, const DecodeLimits& limits = {}) {
  return read_image_info(as_byte_span(bytes), limits);
}
inline Result<Image> decode_image(std::string_view bytes, const DecodeLimits& limits = {},
                                  const DecodeOptions& options = {}) {
  return decode_image(as_byte_span(bytes), limits, options);
}

// Reads and decodes a file. Throws Error with the path as context.
Image load_image(const std::filesystem::path& path, const DecodeLimits& limits = {}, const DecodeOptions& options = {});
ImageInfo load_image_info(const std::filesystem::path& path, const DecodeLimits& limits = {});

}  // namespace sensorium::media
