#include "modality/signal_encoder.h"

#include "modality/senses.h"

namespace sensorium::modality {
namespace {

class PictureSignalEncoder : public SignalEncoder {
 public:
  PictureSignalEncoder(nn::ParameterStore& store, const std::string& name, const ImageEncoderConfig& config)
      : encoder_(store, name, config) {}

  ImageFeatures operator()(const ImageEncoder& /*eyes*/, std::span<const Signal* const> signals,
                           DType compute) const override {
    const PreparedSignals prepared = pack_signals(signals, compute);
    return encoder_(prepared.values_PC, prepared.sizes);
  }
  TokenGridSize grid(const Signal& signal) const override {
    return {ImageEncoder::tokens_along(signal.height), ImageEncoder::tokens_along(signal.width)};
  }
  void set_checkpointing(bool on) override { encoder_.set_checkpointing(on); }

 private:
  ImageEncoder encoder_;
};

class PictureSignalConfig : public SignalEncoderConfig {
 public:
  explicit PictureSignalConfig(ImageEncoderConfig config) : config_(std::move(config)) {}
  int64_t dim() const override { return config_.dim; }
  OrderedJson to_json() const override { return config_.to_json(); }
  std::unique_ptr<SignalEncoder> make(nn::ParameterStore& store, const std::string& name,
                                      const ImageEncoderConfig& /*eyes*/) const override {
    return std::make_unique<PictureSignalEncoder>(store, name, config_);
  }

 private:
  ImageEncoderConfig config_;
};

}  // namespace

SharedEncoderConfig picture_signal_encoder(const ImageEncoderConfig& config) {
  return std::make_shared<PictureSignalConfig>(config);
}

SharedEncoderConfig read_picture_signal_encoder(const SenseKind& sense, const Json& json, const std::string& where) {
  ImageEncoderConfig config = ImageEncoderConfig::from_json(json, where);
  require(!json.contains("channels") || config.channels == sense.channels, ErrorKind::invalid_data,
          "{}: channels is {}, signals of this sense have {}", where, config.channels, sense.channels);
  config.channels = sense.channels;
  return picture_signal_encoder(config);
}

}  // namespace sensorium::modality
