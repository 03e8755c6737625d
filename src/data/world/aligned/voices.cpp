#include "data/world/aligned/voices.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace sensorium::data {
namespace {

// A tone or noise that comes again and again. Frequencies in Hz, times in seconds.
struct Voice {
  double pitch, slide;   // at the beginning of each call, and how many octaves it rises until its end
  int overtones;         // each with an amplitude of 1 / its number
  double noise;          // share of noise in it
  double every, length;  // between the beginnings of calls, of a call
  double decay;          // per second within a call
};
// In the order of aligned_things().
constexpr std::array<Voice, 8> kVoices = {{
    {.pitch = 160, .slide = 0, .overtones = 3, .noise = 0, .every = 1.0, .length = 0.7, .decay = 0},  // boat: a horn
    {.pitch = 70, .slide = 0.1, .overtones = 8, .noise = 0.1, .every = 2, .length = 2, .decay = 0},   // car: an engine
    {.pitch = 2400, .slide = 0, .overtones = 2, .noise = 0, .every = 0.6, .length = 0.5, .decay = 12},  // cup: clinks
    {.pitch = 350, .slide = 2, .overtones = 1, .noise = 0, .every = 0.22, .length = 0.12, .decay = 6},  // fish: bubbles
    {.pitch = 240, .slide = 0, .overtones = 6, .noise = 0, .every = 0.05, .length = 0.04, .decay = 0},  // flower: a bee
    {.pitch = 700,
     .slide = -0.4,
     .overtones = 2,
     .noise = 0,
     .every = 0.9,
     .length = 0.8,
     .decay = 4},  // house: a bell
    {.pitch = 5200,
     .slide = 0,
     .overtones = 1,
     .noise = 0.3,
     .every = 0.09,
     .length = 0.06,
     .decay = 30},                                                                                  // key: a jingle
    {.pitch = 0, .slide = 0, .overtones = 0, .noise = 1, .every = 0.8, .length = 0.7, .decay = 2},  // tree: rustling
}};

}  // namespace

std::vector<float> make_voice(size_t thing, int samples, int rate_hz, Rng& rng) {
  require(thing < kVoices.size(), ErrorKind::usage, "there is no thing {} with a voice", thing);
  const Voice& voice = kVoices[thing];
  const double detune = std::exp2(rng.uniform(-0.15, 0.15)), tempo = rng.uniform(0.85, 1.15);
  const double gain = rng.uniform(0.2, 0.7), background = rng.uniform(0.001, 0.01), start = rng.uniform() * voice.every;
  std::vector<float> sound(static_cast<size_t>(samples));
  double phase = 0;
  for (int i = 0; i < samples; ++i) {
    const double t = static_cast<double>(i) / rate_hz * tempo + start;
    const double within = t - std::floor(t / voice.every) * voice.every;
    const double done = within / voice.length;
    phase += 2 * std::numbers::pi * voice.pitch * detune * std::exp2(voice.slide * std::min(done, 1.0)) / rate_hz;
    double value = 0;
    if (done < 1) {
      for (int overtone = 1; overtone <= voice.overtones; ++overtone) value += std::sin(overtone * phase) / overtone;
      value = (1 - voice.noise) * value + voice.noise * rng.uniform(-1, 1);
      value *= std::exp(-voice.decay * within);
    }
    sound[static_cast<size_t>(i)] = static_cast<float>(std::clamp(gain * value + background * rng.normal(), -1.0, 1.0));
  }
  return sound;
}

}  // namespace sensorium::data
