#include "media/decode.h"

#include <new>
#include <utility>

#include "base/file.h"
#include "media/codec.h"
#include "media/geometry.h"

namespace sensorium::media {
namespace {

using detail::Codec;

struct Inspected {
  const Codec* codec;
  ImageInfo stored;  // sizes before the orientation
};

Result<Inspected> inspect(ByteSpan bytes, const DecodeLimits& limits) {
  if (bytes.size() > limits.max_file_bytes) {
    return Error(ErrorKind::limit, fmt::format("a picture file of {} bytes is larger than the limit of {} bytes",
                                               bytes.size(), limits.max_file_bytes));
  }
  for (const Codec& codec : detail::codecs()) {
    if (!codec.sniff(bytes)) continue;
    Result<ImageInfo> header = codec.read_header(bytes);
    if (!header) return header.error();
    ImageInfo info = header.value();
    info.format = codec.name;
    if (info.width <= 0 || info.height <= 0) {
      return Error(ErrorKind::invalid_data, fmt::format("{} picture of {} x {} pixels: there is nothing to see",
                                                        codec.name, info.width, info.height));
    }
    if (info.width > limits.max_side || info.height > limits.max_side) {
      return Error(ErrorKind::limit, fmt::format("{} picture of {} x {} pixels: a side is longer than the limit of {}",
                                                 codec.name, info.width, info.height, limits.max_side));
    }
    const int64_t pixels = int64_t{info.width} * info.height;
    if (pixels > limits.max_pixels) {
      return Error(ErrorKind::limit, fmt::format("{} picture of {} x {} = {} pixels: more than the limit of {} pixels",
                                                 codec.name, info.width, info.height, pixels, limits.max_pixels));
    }
    return Inspected{&codec, info};
  }
  std::string known;
  for (const Codec& codec : detail::codecs()) known += (known.empty() ? "" : ", ") + std::string(codec.name);
  const std::string what = detail::describe_unknown(bytes);
  return Error(ErrorKind::invalid_data,
               fmt::format("not a picture this program reads: this is {} (want {})", what, known));
}

// Codecs return their errors; what the library throws on the way (no memory) becomes one here.
template <typename T, typename Fn>
Result<T> no_throw(const ImageInfo& info, Fn&& fn) {
  try {
    return fn();
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error(ErrorKind::limit,
                 fmt::format("{} picture of {} x {} pixels: out of memory", info.format, info.width, info.height));
  }
}

bool swaps_sides(int orientation) { return orientation >= 5; }

}  // namespace

Result<ImageInfo> read_image_info(ByteSpan bytes, const DecodeLimits& limits) {
  const Result<Inspected> inspected = inspect(bytes, limits);
  if (!inspected) return inspected.error();
  ImageInfo info = inspected.value().stored;
  if (swaps_sides(info.orientation)) std::swap(info.width, info.height);
  return info;
}

Result<Image> decode_image(ByteSpan bytes, const DecodeLimits& limits, const DecodeOptions& options) {
  const Result<Inspected> inspected = inspect(bytes, limits);
  if (!inspected) return inspected.error();
  const auto& [codec, info] = inspected.value();
  return no_throw<Image>(info, [&, codec = codec, &info = info]() -> Result<Image> {
    Result<Image> image = codec->decode(bytes, info, options);
    if (!image || info.orientation == 1) return image;
    return apply_orientation(image.value(), info.orientation);
  });
}

Result<Image16> decode_grey16(ByteSpan bytes, const DecodeLimits& limits) {
  const Result<Inspected> inspected = inspect(bytes, limits);
  if (!inspected) return inspected.error();
  const ImageInfo& info = inspected.value().stored;
  if (inspected.value().codec->decode != detail::decode_png || info.file_channels != 1) {
    return Error(ErrorKind::unsupported, fmt::format("16-bit grey comes from a grey PNG; this {} has {} channels",
                                                     info.format, info.file_channels));
  }
  return no_throw<Image16>(info, [&] { return detail::decode_png_grey16(bytes, info); });
}

Image load_image(const std::filesystem::path& path, const DecodeLimits& limits, const DecodeOptions& options) {
  const std::string bytes = read_file(path, limits.max_file_bytes);
  Result<Image> image = decode_image(as_byte_span(bytes), limits, options);
  if (!image) throw image.error().with_context(path.string());
  return std::move(image).value();
}

ImageInfo load_image_info(const std::filesystem::path& path, const DecodeLimits& limits) {
  const std::string bytes = read_file(path, limits.max_file_bytes);
  const Result<ImageInfo> info = read_image_info(as_byte_span(bytes), limits);
  if (!info) throw info.error().with_context(path.string());
  return info.value();
}

}  // namespace sensorium::media
