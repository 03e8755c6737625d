// Another sample rate, by windowed sinc interpolation.
#pragma once

#include "media/audio.h"

namespace sensorium::media {

// What torchaudio.functional.resample does with its defaults ("sinc_interp_hann"): a sinc low-pass at `rolloff` of the lower
// Nyquist frequency, under a Hann window of `lowpass_filter_width` zero crossings to each side; Smith, "Digital Audio Resampling".
struct ResampleOptions {
  int lowpass_filter_width = 6;
  double rolloff = 0.99;
};

// ceil(frames * to / from) frames. Throws Error(usage) for a rate below 1 Hz, limit if the result or the filter would be out of
// all proportion (rates without a common factor need one filter for each output phase).
Audio resample(const Audio& audio, int sample_rate_hz, const ResampleOptions& options = {});

}  // namespace sensorium::media
