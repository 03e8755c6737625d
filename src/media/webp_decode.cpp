// WebP (RFC 9649) through libwebp.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>
#include <string>
#include <vector>

#include "media/byte_reader.h"
#include "media/codec.h"
#include "media/exif.h"

namespace sensorium::media::detail {
namespace {

Error status_error(VP8StatusCode status, size_t bytes) {
  switch (status) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      return Error(ErrorKind::invalid_data, fmt::format("truncated WebP: the data end after {} bytes", bytes));
    case VP8_STATUS_OUT_OF_MEMORY:
      return Error(ErrorKind::limit, "WebP picture: out of memory");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return Error(ErrorKind::unsupported, "WebP picture uses a feature that libwebp does not read");
    default:
      return Error(ErrorKind::invalid_data, "damaged WebP: its bitstream does not decode");
  }
}

// The EXIF chunk of an extended file (RFC 9649, 2.7.1.5) may stand anywhere after the first chunk.
int find_orientation(ByteSpan bytes) {
  const ByteReader reader(bytes, ByteOrder::little);
  for (size_t at = 12; reader.holds(at, 8);) {
    const size_t length = *reader.u32(at + 4);
    if (reader.matches(at, "EXIF")) return exif_orientation(reader.slice(at + 8, length));
    at += 8 + length + length % 2;
  }
  return 1;
}

// The first frame on its canvas: it need not fill it.
Result<Image> decode_first_frame(ByteSpan bytes, const ImageInfo& info) {
  WebPAnimDecoderOptions options;
  if (!WebPAnimDecoderOptionsInit(&options)) return Error(ErrorKind::unsupported, "libwebpdemux has another version");
  options.color_mode = MODE_RGBA;
  options.use_threads = 0;
  const WebPData data{bytes.data(), bytes.size()};
  const std::unique_ptr<WebPAnimDecoder, void (*)(WebPAnimDecoder*)> decoder(WebPAnimDecoderNew(&data, &options),
                                                                             WebPAnimDecoderDelete);
  WebPAnimInfo animation;
  uint8_t* rgba = nullptr;
  int timestamp_ms = 0;
  if (!decoder || !WebPAnimDecoderGetInfo(decoder.get(), &animation) ||
      animation.canvas_width != static_cast<uint32_t>(info.width) ||
      animation.canvas_height != static_cast<uint32_t>(info.height) ||
      !WebPAnimDecoderGetNext(decoder.get(), &rgba, &timestamp_ms)) {
    return Error(ErrorKind::invalid_data, "damaged or truncated WebP animation: its first frame does not decode");
  }
  Image image(info.width, info.height);
  composite_rgba_over_white(rgba, image.pixels.data(), image.pixels.size() / 3);
  return image;
}

}  // namespace

bool sniff_webp(ByteSpan bytes) {
  const ByteReader reader(bytes, ByteOrder::little);
  return reader.matches(0, "RIFF") && reader.matches(8, "WEBP");
}

Result<ImageInfo> read_webp_header(ByteSpan bytes) {
  WebPBitstreamFeatures features;
  const VP8StatusCode status = WebPGetFeatures(bytes.data(), bytes.size(), &features);
  if (status != VP8_STATUS_OK) return status_error(status, bytes.size());
  ImageInfo info;
  info.width = features.width;
  info.height = features.height;
  info.file_channels = features.has_alpha ? 4 : 3;
  info.has_alpha = features.has_alpha != 0;
  info.animated = features.has_animation != 0;
  info.orientation = find_orientation(bytes);
  return info;
}

Result<Image> decode_webp(ByteSpan bytes, const ImageInfo& info, const DecodeOptions&) {
  if (info.animated) return decode_first_frame(bytes, info);
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) return Error(ErrorKind::unsupported, "libwebp has another version");
  Image image(info.width, info.height);
  std::vector<uint8_t> rgba(info.has_alpha ? image.pixels.size() / 3 * 4 : 0);
  config.output.colorspace = info.has_alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = info.has_alpha ? rgba.data() : image.pixels.data();
  config.output.u.RGBA.stride = info.width * (info.has_alpha ? 4 : 3);
  config.output.u.RGBA.size = info.has_alpha ? rgba.size() : image.pixels.size();
  const VP8StatusCode status = WebPDecode(bytes.data(), bytes.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) return status_error(status, bytes.size());
  if (info.has_alpha) composite_rgba_over_white(rgba.data(), image.pixels.data(), rgba.size() / 4);
  return image;
}

}  // namespace sensorium::media::detail
