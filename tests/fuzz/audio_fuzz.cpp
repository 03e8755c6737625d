// Any bytes as a sound file: an error or samples, never a crash, a hang or memory beyond the limits.
// Seeds: tests/golden/audio
#include <cstdint>

#include "media/audio.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sensorium;
  const media::AudioLimits limits{.max_samples = int64_t{1} << 20, .max_file_bytes = size_t{1} << 20};
  Result<std::unique_ptr<media::AudioReader>> reader = media::read_audio_bytes({data, size}, limits);
  if (!reader) return 0;
  try {
    (void)media::read_whole(*reader.value(), limits);
  } catch (const Error&) {
  }
  return 0;
}
