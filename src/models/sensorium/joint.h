// The native model's joint space: vectors of pictures, recordings and texts that are near where these mean the same. A head on the
// mean of what an encoder says of an input; texts through a small transformer over the decoder's embeddings of their tokens.
// Parameters: joint.<sense>.norm, joint.<sense>.mlp, joint.text.lift, joint.text.layers.<i>, joint.text.norm, joint.text.out,
// joint.scale.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "media/image.h"
#include "modality/signal.h"
#include "models/decoder/decoder.h"
#include "models/sensorium/config.h"
#include "models/sensorium/heads.h"
#include "models/sensorium/sense.h"

namespace sensorium::models {

class JointSpace {
 public:
  // config.joint is set.
  JointSpace(nn::ParameterStore& store, const SensoriumConfig& config);

  const JointConfig& config() const { return config_; }
  bool has(std::string_view sense) const { return heads_.contains(sense); }
  // Inputs of a sense ("image", "audio"): the means of their encoder's tokens f32 [N, encoder dim] -> f32 [N, dim] of unit length.
  Tensor place(std::string_view sense, const Tensor& pooled_NC) const;
  // Texts, as joint_text() writes them -> f32 [N, dim] of unit length. The decoder's embeddings do not train here.
  Tensor place_texts(const Decoder& decoder, const Queries& texts) const;
  // The logarithm of 1 / temperature, f32 [1].
  Tensor log_scale() const;

 private:
  struct Head {
    nn::LayerNorm norm;
    nn::Mlp mlp;
  };
  JointConfig config_;
  std::map<std::string, Head, std::less<>> heads_;
  nn::Linear text_lift_, text_out_;
  std::vector<nn::TransformerBlock> text_blocks_;
  nn::RmsNorm text_norm_;
  Tensor scale_;
};

// Upper and lower case, and what stands around a text, make no difference: " A dog. " is "a dog".
std::string joint_text(std::string_view text);

// The mean of each picture's or window's tokens, f32 [N, dim].
Tensor pooled(const modality::ImageFeatures& features);

}  // namespace sensorium::models
