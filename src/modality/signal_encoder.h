// What a sense's encoder is to the model that it belongs to: signals in, a grid of tokens for each out. Senses whose signals are
// pictures share one (an ImageEncoder of the sense's own); the table of senses says which encoder a sense has.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/json.h"
#include "modality/image/encoder.h"
#include "modality/signal.h"
#include "nn/parameter_store.h"

namespace sensorium::modality {

struct TokenGridSize {
  int64_t rows = 0, columns = 0;
};

class SignalEncoder {
 public:
  virtual ~SignalEncoder() = default;
  // Signals of one sense -> `tokens_TC` [T, dim] with their grids in `coarse`; whether there is something finer is the encoder's
  // affair. `eyes`: the model's encoder of pictures, for senses that see. `compute`: f32 or bf16.
  virtual ImageFeatures operator()(const ImageEncoder& eyes, std::span<const Signal* const> signals,
                                   DType compute) const = 0;
  // The grid of a signal's tokens.
  virtual TokenGridSize grid(const Signal& signal) const = 0;
  // While on, less memory in training for a second forward pass.
  virtual void set_checkpointing(bool on) = 0;
};

// The sizes of an encoder: what stands under "encoder" in config.json.
class SignalEncoderConfig {
 public:
  virtual ~SignalEncoderConfig() = default;
  virtual int64_t dim() const = 0;  // of its tokens
  virtual OrderedJson to_json() const = 0;
  virtual std::unique_ptr<SignalEncoder> make(nn::ParameterStore& store, const std::string& name,
                                              const ImageEncoderConfig& eyes) const = 0;
};
using SharedEncoderConfig = std::shared_ptr<const SignalEncoderConfig>;

// An ImageEncoder of the sense's own, on signals of one frame.
SharedEncoderConfig picture_signal_encoder(const ImageEncoderConfig& config);
// The same from config.json, with as many channels as the sense's signals have. Throws Error(invalid_data) that names the key.
SharedEncoderConfig read_picture_signal_encoder(const SenseKind& sense, const Json& json, const std::string& where);

}  // namespace sensorium::modality
