// From sound to the native model's input: log-mel windows, and the pictures of them.
#pragma once

#include <filesystem>
#include <span>

#include "media/audio.h"
#include "media/ffmpeg.h"
#include "modality/signal.h"

namespace sensorium::modality {

constexpr int kSoundRateHz = 16'000;
constexpr int kSoundBands = 64;          // Kaldi mel bands, every 10 ms
constexpr double kSoundWindowS = 10;     // a longer sound is heard in windows; the last one ends with the sound
constexpr double kShortestSoundS = 0.1;  // less than that says nothing

// Windows f32 [frames, kSoundBands]: natural logarithm of the energy. Memory does not grow with the sound's length. Throws
// Error as the reader; invalid_data for a sound shorter than kShortestSoundS.
// `film`: when the windows of a film begin and end that this is the sound of; beside_film receives what is heard meanwhile, of a span
// longer than kSoundWindowS its middle, silence where the sound has ended.
Recording hear(media::AudioReader& reader, std::span<const Recording::Span> film = {});
// A file's; `limits` are those of ffmpeg, which reads all but WAV and FLAC.
Recording load_sound(const std::filesystem::path& path, const media::FfmpegLimits& limits = {});
Recording load_sound(const std::filesystem::path& path, std::span<const Recording::Span> film,
                     const media::FfmpegLimits& limits);

// One window as a picture [kSoundBands, frames, 3], low bands first. Channels: the level; how far it is above the band's mean
// over the window, which takes steady noise and the microphone away; the band's place (a convolution alone would not know
// whether a whistle is high or low). Windows shorter than 32 frames are filled up with the quietest level of each band.
Signal sound_signal(const Tensor& log_mel_TC);

}  // namespace sensorium::modality
