// The native image encoder: a convolutional stem (residual blocks, GroupNorm and standardised filters: independent of the
// batch) down to a sixteenth of the side, then a transformer over the positions of each picture with two-dimensional
// rotary positions. Any aspect ratio; pictures of a batch are packed without padding. Other senses read pictures of their
// signals (signal.h) with it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "nn/modules.h"

namespace sensorium::modality {

struct ImageEncoderConfig {
  int64_t channels = 3;  // of the pictures
  // Channels after the stem's stages at 1/2, 1/4, 1/8 and 1/16 of the side, and residual blocks of the last three.
  std::vector<int64_t> stem_channels = {32, 64, 128, 256};
  std::vector<int64_t> stem_blocks = {1, 2, 2};
  int64_t norm_groups = 8;
  int64_t dim = 256, layers = 4, heads = 4, mlp_width = 704;
  float rope_theta = 100.0f;

  // Throws Error(invalid_data) that names the key.
  static ImageEncoderConfig from_json(const Json& json, const std::string& where);
  OrderedJson to_json() const;
};

struct ImageFeatures {
  Tensor fine_PC;  // [positions at 1/8, stem_channels[2]]
  ops::Pictures fine;
  Tensor tokens_TC;  // [positions at 1/16, dim]: the encoder's output
  ops::Pictures coarse;
};

class ImageEncoder {
 public:
  ImageEncoder() = default;
  ImageEncoder(nn::ParameterStore& store, const std::string& name, const ImageEncoderConfig& config);

  // pixels_PC [P, channels] f32 or bf16 (this decides the compute type); pictures: their sizes.
  ImageFeatures operator()(const Tensor& pixels_PC, const ops::Pictures& pictures) const;
  const ImageEncoderConfig& config() const { return config_; }
  // Tokens along a side of so many pixels: four convolutions of stride 2 and padding 1 round up.
  static int64_t tokens_along(int64_t pixels) {
    for (int i = 0; i < 4; ++i) pixels = (pixels + 1) / 2;
    return pixels;
  }
  // While on, blocks keep only their inputs for the backward pass and compute the rest again.
  void set_checkpointing(bool on) { checkpointing_ = on; }

 private:
  struct Residual {
    nn::ConvNorm conv1, conv2, shortcut;
    bool projects = false;
  };
  Tensor residual(const Residual& block, const Tensor& x_PC, ops::Pictures& pictures) const;
  // `block` on x, with what it computes in between kept or not.
  Tensor run(const std::function<Tensor(const Tensor&)>& block, const Tensor& x) const;

  ImageEncoderConfig config_;
  nn::ConvNorm stem_;
  std::vector<std::vector<Residual>> stages_;  // 1/4, 1/8, 1/16
  nn::Linear embed_;
  std::vector<nn::TransformerBlock> blocks_;
  nn::RmsNorm norm_;
  bool checkpointing_ = false;
};

}  // namespace sensorium::modality
