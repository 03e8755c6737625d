// From an encoder's tokens to what the decoder reads, as config.json's "fusion" says:
//   projector        merge x merge neighbouring tokens, side by side, through an MLP (LLaVA, Liu 2023; the merge as in Qwen2-VL)
//   resampler        a fixed number of learned queries that attend to the tokens (the perceiver resampler of Flamingo, Alayrac 2022)
//   cross_attention  the projector's rows, which stand beside the prompt and not in it (decoder/cross_layer.h)
//
// Legend: T encoder tokens of all pictures, R decoder rows of all pictures, Q queries of all pictures, C channels.
#pragma once

#include <string>
#include <vector>

#include "modality/signal_encoder.h"
#include "models/sensorium/config.h"

namespace sensorium::models {

// Parameters of a resampler: <name>.lift, <name>.place (of a token's row and column, each -1..1), <name>.queries [tokens, dim],
// <name>.layers.<i> (media_norm, norm1, attention, norm2, mlp), <name>.norm.
class Resampler {
 public:
  Resampler() = default;
  Resampler(nn::ParameterStore& store, const std::string& name, int64_t encoder_dim, const FusionConfig& config,
            int64_t dim);
  // -> [pictures * queries, dim].
  Tensor operator()(const modality::ImageFeatures& features) const;

 private:
  struct Layer {
    nn::RmsNorm media_norm, norm1;
    nn::CrossAttention attention;
    nn::RmsNorm norm2;
    nn::SwigluMlp mlp;
  };
  nn::Linear lift_, place_;
  Tensor queries_QC_;
  std::vector<Layer> layers_;
  nn::RmsNorm norm_;
};

// Of one encoder. Parameters: those of an nn::Mlp, or of a Resampler.
class Connector {
 public:
  Connector() = default;
  // `merge`: as SensoriumConfig::merge; a resampler does not use it.
  Connector(nn::ParameterStore& store, const std::string& name, int64_t encoder_dim, int64_t merge,
            const FusionConfig& config, int64_t dim);
  // [R, decoder dim]; `row_offsets` receives the pictures' rows.
  Tensor operator()(const modality::ImageFeatures& features, std::vector<int64_t>& row_offsets) const;
  // Rows of a picture or a signal whose tokens have this grid.
  int64_t rows(const modality::TokenGridSize& grid) const;

 private:
  FusionConfig config_;
  int64_t merge_ = 1;
  nn::Mlp projector_;
  Resampler resampler_;
};

}  // namespace sensorium::models
