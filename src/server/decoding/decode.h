// Bytes from clients to samples, in whatever process calls. All of it is what a decoder's process does (worker.h), and what the
// server does itself where it has none.
#pragma once

#include <string_view>

#include "media/audio.h"
#include "media/decode.h"
#include "modality/signal.h"

namespace sensorium::server {

inline constexpr double kMostSoundSeconds = 3600;

// These throw Error: invalid_data, unsupported, limit.
media::Image decode_picture(std::string_view bytes, const media::DecodeLimits& limits);
// WAV and FLAC, at their own rate and channels, and as what the sense of hearing takes. At most kMostSoundSeconds.
media::Audio decode_sound(std::string_view bytes);
modality::Recording hear_sound(std::string_view bytes);

}  // namespace sensorium::server
