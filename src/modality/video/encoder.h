// The encoder of films: every frame through the model's eyes, then a small transformer over time.
//
// What the eyes see in a frame is averaged over a grid of cells; a cell's token is that, and how it differs from the same cell one
// frame before: what moves shows in the differences, what is there in the averages. The transformer reads all cells of all frames
// of a window at once. The eyes themselves do not learn from films: no gradient goes into them, so that a pass over many frames
// keeps nothing and the eyes stay those of pictures.
#pragma once

#include "modality/signal_encoder.h"

namespace sensorium::modality {

struct VideoEncoderConfig {
  int64_t cells = 4;  // along each side of a frame
  int64_t dim = 128, layers = 2, heads = 4, mlp_width = 352;
  float rope_theta = 100.0f;  // of the positions in time

  // Throws Error(invalid_data) that names the key.
  static VideoEncoderConfig from_json(const Json& json, const std::string& where);
  OrderedJson to_json() const;
};

// Tokens: a row per frame, a column per cell.
class VideoEncoder : public SignalEncoder {
 public:
  // `eyes_dim`: of the tokens of the encoder of pictures. Parameters: <name>.embed, .place, .blocks.N, .norm.
  VideoEncoder(nn::ParameterStore& store, const std::string& name, const VideoEncoderConfig& config, int64_t eyes_dim);

  ImageFeatures operator()(const ImageEncoder& eyes, std::span<const Signal* const> signals,
                           DType compute) const override;
  TokenGridSize grid(const Signal& signal) const override { return {signal.frames, config_.cells * config_.cells}; }
  void set_checkpointing(bool on) override { checkpointing_ = on; }

 private:
  VideoEncoderConfig config_;
  nn::Linear embed_;
  Tensor place_;  // [cells^2, dim]: learned, of each cell
  std::vector<nn::TransformerBlock> blocks_;
  nn::RmsNorm norm_;
  bool checkpointing_ = false;
};

// Means over a grid of cells x cells equal parts of each picture: [P, C] f32 or bf16 -> f32 [pictures * cells^2, C]. Parts of a
// picture that is smaller than the grid overlap. Outside autograd.
Tensor cell_means(const Tensor& x_PC, const ops::Pictures& pictures, int64_t cells);

SharedEncoderConfig video_signal_encoder(const VideoEncoderConfig& config);
SharedEncoderConfig read_video_encoder(const SenseKind& sense, const Json& json, const std::string& where);

}  // namespace sensorium::modality
