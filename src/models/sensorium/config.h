// Everything that sizes the native model: the contents of its config.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "modality/image/encoder.h"
#include "modality/image/prepare.h"
#include "modality/senses.h"
#include "models/decoder/decoder.h"

namespace sensorium::models {

// The decoder's part of config.json: sizes only, the native model has one kind of decoder.
DecoderConfig read_native_decoder(const Json& json, const std::string& where);
OrderedJson native_decoder_json(const DecoderConfig& config);

// How the decoder reads pictures and recordings, see connector.h.
enum class FusionKind : uint8_t { projector, resampler, cross_attention };
struct FusionConfig {
  FusionKind kind = FusionKind::projector;
  int64_t tokens = 16, layers = 1, heads = 4;  // of a resampler: queries a picture or window, their layers and heads
  int64_t every = 1;                           // a cross-attention layer before every so many decoder blocks

  static FusionConfig from_json(const Json& json, const std::string& where, const DecoderConfig& decoder);
  OrderedJson to_json() const;
};

// The heads on the image encoder. Both compare image features with embeddings of phrases, so that any phrase can be asked
// for; the phrases listed here are the ones that were trained and that the model looks for by itself.
struct HeadsConfig {
  int64_t query_dim = 128;
  std::vector<std::string> labels;   // what a whole picture can show: "dalmatian", "glass", "five"
  std::vector<std::string> objects;  // what the detector looks for: "helmet", "white blood cell"
  std::vector<double> thresholds;    // per object: the least score that counts as found; empty: 0.3 each

  static HeadsConfig from_json(const Json& json, const std::string& where);
  OrderedJson to_json() const;
};

// A sense beside the eyes: an encoder of its own kind of signals, with a classifier and a projector.
struct SenseConfig {
  const modality::SenseKind* kind = nullptr;
  modality::SharedEncoderConfig encoder;
  int64_t merge = 1;  // as SensoriumConfig::merge
  int64_t query_dim = 64;
  std::vector<std::string> labels;  // what a recording can be of: "dog", "seven", "walking"

  static SenseConfig from_json(const modality::SenseKind& kind, const Json& json, const std::string& where);
  OrderedJson to_json() const;
};

// The joint space: a head on what each encoder says of an input, and a small encoder of texts on the decoder's embeddings.
struct JointConfig {
  int64_t dim = 128;    // of the vectors
  int64_t width = 256;  // of the heads' hidden layer
  int64_t text_width = 192, text_layers = 1, text_heads = 3;
  std::vector<std::string> senses = {"image"};  // that have a head: "image", and some of the model's others
  double same_cosine = 0.5;  // inputs of two senses that are nearer than this are of the same thing; training finds it

  static JointConfig from_json(const Json& json, const std::string& where);
  OrderedJson to_json() const;
};

struct SensoriumConfig {
  modality::ImagePrepareConfig prepare;
  modality::ImageEncoderConfig image;
  int64_t merge = 2;  // merge x merge neighbouring image tokens become one decoder token
  DecoderConfig decoder;
  FusionConfig fusion;
  bool interleaves_sound = false;  // a film's sound stands beside its windows, not behind all of them
  bool evidence =
      true;  // what the heads find is told to the decoder in words; false: it reads the encoders' tokens alone
  HeadsConfig heads;
  std::vector<SenseConfig> senses;   // in the order of modality::sense_kinds(); none: the model sees and reads only
  std::optional<JointConfig> joint;  // none: the model has no joint space
  // For people: shown by `inspect`.
  std::string name = "sensorium", licence, trained_on;

  // Checks every key; throws Error(invalid_data) that names `where` and the key.
  static SensoriumConfig from_json(const Json& json, const std::string& where);
  OrderedJson to_json() const;
};

}  // namespace sensorium::models
