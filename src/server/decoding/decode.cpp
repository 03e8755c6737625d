#include "server/decoding/decode.h"

#include "modality/audio/prepare.h"

namespace sensorium::server {
namespace {

std::unique_ptr<media::AudioReader> open_sound(std::string_view bytes) {
  std::unique_ptr<media::AudioReader> reader = media::read_audio_bytes(media::as_byte_span(bytes)).value();
  // Its length is looked at before it is decoded: compressed silence is long.
  const media::AudioInfo& info = reader->info();
  require(static_cast<double>(info.frames) <= kMostSoundSeconds * info.sample_rate_hz, ErrorKind::limit,
          "it is longer than {} minutes", kMostSoundSeconds / 60);
  return reader;
}

}  // namespace

media::Image decode_picture(std::string_view bytes, const media::DecodeLimits& limits) {
  return media::decode_image(bytes, limits).value();
}

media::Audio decode_sound(std::string_view bytes) { return media::read_whole(*open_sound(bytes)); }

modality::Recording hear_sound(std::string_view bytes) { return modality::hear(*open_sound(bytes)); }

}  // namespace sensorium::server
