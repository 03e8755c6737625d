// One picture format: how to recognise it, read its header and decode it. The table is in registry.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "media/decode.h"

namespace sensorium::media::detail {

struct Codec {
  std::string_view name;
  bool (*sniff)(ByteSpan bytes);
  // Sizes as stored, before the orientation.
  Result<ImageInfo> (*read_header)(ByteSpan bytes);
  // 8-bit RGB as stored, before the orientation. `info` is what read_header gave and fits the limits; a decoder that
  // finds another size than that in the bytes must refuse.
  Result<Image> (*decode)(ByteSpan bytes, const ImageInfo& info, const DecodeOptions& options);
};

std::span<const Codec> codecs();

bool sniff_jpeg(ByteSpan bytes);
Result<ImageInfo> read_jpeg_header(ByteSpan bytes);
Result<Image> decode_jpeg(ByteSpan bytes, const ImageInfo& info, const DecodeOptions& options);

bool sniff_png(ByteSpan bytes);
Result<ImageInfo> read_png_header(ByteSpan bytes);
Result<Image> decode_png(ByteSpan bytes, const ImageInfo& info, const DecodeOptions& options);
Result<Image16> decode_png_grey16(ByteSpan bytes, const ImageInfo& info);

bool sniff_webp(ByteSpan bytes);
Result<ImageInfo> read_webp_header(ByteSpan bytes);
Result<Image> decode_webp(ByteSpan bytes, const ImageInfo& info, const DecodeOptions& options);

// What bytes that no codec knows look like, as the end of "this is ...": "an HTML page", "a GIF picture".
std::string describe_unknown(ByteSpan bytes);

// A sample of opacity alpha / 255 over white, rounded to nearest.
inline uint8_t over_white(uint8_t sample, uint8_t alpha) {
  const unsigned sum = 255u * (255u - alpha) + unsigned{sample} * alpha + 128u;
  return static_cast<uint8_t>((sum + (sum >> 8)) >> 8);
}
// `count` pixels of interleaved RGBA to RGB.
inline void composite_rgba_over_white(const uint8_t* rgba, uint8_t* rgb, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    for (size_t c = 0; c < 3; ++c) rgb[i * 3 + c] = over_white(rgba[i * 4 + c], rgba[i * 4 + 3]);
  }
}

}  // namespace sensorium::media::detail
