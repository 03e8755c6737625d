// The picture formats. To add one: a file with its three functions, and a line here.
#include "media/codec.h"

namespace sensorium::media::detail {
namespace {

constexpr Codec kCodecs[] = {
    {"JPEG", sniff_jpeg, read_jpeg_header, decode_jpeg},
    {"PNG", sniff_png, read_png_header, decode_png},
    {"WebP", sniff_webp, read_webp_header, decode_webp},
};

}  // namespace

std::span<const Codec> codecs() { return kCodecs; }

}  // namespace sensorium::media::detail
