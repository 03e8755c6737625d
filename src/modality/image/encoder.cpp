// Legend: P positions of all pictures, T the same at 1/16, C channels.
#include "modality/image/encoder.h"

#include <cmath>
#include <utility>

#include "kernels/conv.h"

namespace sensorium::modality {

using kernels::NormActivation;
using nn::WeightStandardization;

namespace {

ops::Pictures sizes_after(const nn::ConvNorm& conv, ops::Pictures pictures) {
  for (std::vector<int32_t>* sides : {&pictures.heights, &pictures.widths}) {
    for (int32_t& side : *sides) {
      side = static_cast<int32_t>(kernels::conv_output_size(side, conv.kernel, conv.stride, conv.kernel / 2));
    }
  }
  return pictures;
}

}  // namespace

ImageEncoderConfig ImageEncoderConfig::from_json(const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  ImageEncoderConfig config;
  config.channels = reader.get_int_or("channels", config.channels, 1, 64);
  config.stem_channels = reader.get<std::vector<int64_t>>("stem_channels");
  config.stem_blocks = reader.get<std::vector<int64_t>>("stem_blocks");
  config.norm_groups = reader.get_int("norm_groups", 1, 256);
  config.dim = reader.get_int("dim", 8, 16384);
  config.layers = reader.get_int("layers", 0, 256);
  config.heads = reader.get_int("heads", 1, 256);
  config.mlp_width = reader.get_int("mlp_width", 8, 65536);
  const double rope_theta = reader.get_or<double>("rope_theta", 100.0);
  reader.finish();
  require(config.stem_channels.size() == 4 && config.stem_blocks.size() == 3, ErrorKind::invalid_data,
          "{}: expected 4 stem_channels and 3 stem_blocks, found {} and {}", where, config.stem_channels.size(),
          config.stem_blocks.size());
  for (const int64_t channels : config.stem_channels) {
    require(channels > 0 && channels <= 4096 && channels % config.norm_groups == 0, ErrorKind::invalid_data,
            "{}: stem_channels must be multiples of norm_groups ({}) up to 4096, found {}", where, config.norm_groups,
            channels);
  }
  for (const int64_t blocks : config.stem_blocks) {
    require(blocks >= 1 && blocks <= 64, ErrorKind::invalid_data, "{}: stem_blocks must be 1..64, found {}", where,
            blocks);
  }
  require(config.dim % config.heads == 0 && config.dim / config.heads % 8 == 0, ErrorKind::invalid_data,
          "{}: dim {} must be a multiple of 8 x heads {}", where, config.dim, config.heads);
  require(rope_theta >= 1 && rope_theta <= 1e12, ErrorKind::invalid_data, "{}: rope_theta is {}, expected 1..1e12",
          where, rope_theta);
  config.rope_theta = static_cast<float>(rope_theta);
  return config;
}

OrderedJson ImageEncoderConfig::to_json() const {
  OrderedJson json;
  if (channels != ImageEncoderConfig().channels) json["channels"] = channels;
  json.update({{"stem_channels", stem_channels},
               {"stem_blocks", stem_blocks},
               {"norm_groups", norm_groups},
               {"dim", dim},
               {"layers", layers},
               {"heads", heads},
               {"mlp_width", mlp_width},
               {"rope_theta", rope_theta}});
  return json;
}

ImageEncoder::ImageEncoder(nn::ParameterStore& store, const std::string& name, const ImageEncoderConfig& config)
    : config_(config) {
  const auto conv = [&](const std::string& suffix, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                        NormActivation activation) {
    return nn::ConvNorm(store, name + suffix, in, out, kernel, stride, config.norm_groups, activation,
                        WeightStandardization::on);
  };
  stem_ = conv(".stem", config.channels, config.stem_channels[0], 3, 2, NormActivation::relu);
  for (size_t stage = 0; stage < 3; ++stage) {
    std::vector<Residual> blocks;
    for (int64_t i = 0; i < config.stem_blocks[stage]; ++i) {
      const int64_t in = i == 0 ? config.stem_channels[stage] : config.stem_channels[stage + 1];
      const int64_t out = config.stem_channels[stage + 1];
      const int64_t stride = i == 0 ? 2 : 1;
      const std::string prefix = fmt::format(".stages.{}.{}", stage, i);
      Residual block;
      block.conv1 = conv(prefix + ".conv1", in, out, 3, stride, NormActivation::relu);
      block.conv2 = conv(prefix + ".conv2", out, out, 3, 1, NormActivation::none);
      block.projects = stride != 1 || in != out;
      if (block.projects) block.shortcut = conv(prefix + ".shortcut", in, out, 1, stride, NormActivation::none);
      blocks.push_back(std::move(block));
    }
    stages_.push_back(std::move(blocks));
  }
  embed_ = nn::Linear(store, name + ".embed", config.stem_channels[3], config.dim, nn::Bias::zeros);
  const nn::AttentionConfig attention{.dim = config.dim,
                                      .heads = config.heads,
                                      .kv_heads = config.heads,
                                      .head_dim = config.dim / config.heads,
                                      .causal = false,
                                      .rope_theta = config.rope_theta};
  const float out_scale = 1.0f / std::sqrt(2.0f * static_cast<float>(std::max<int64_t>(config.layers, 1)));
  for (int64_t i = 0; i < config.layers; ++i) {
    blocks_.emplace_back(store, fmt::format("{}.layers.{}", name, i), attention, config.mlp_width, out_scale);
  }
  norm_ = nn::RmsNorm(store, name + ".norm", config.dim);
}

Tensor ImageEncoder::residual(const Residual& block, const Tensor& x_PC, ops::Pictures& pictures) const {
  ops::Pictures inner = pictures;
  Tensor y_PC = block.conv2(block.conv1(x_PC, inner), inner);
  Tensor shortcut_PC = block.projects ? block.shortcut(x_PC, pictures) : x_PC;
  pictures = inner;
  return ops::relu(ops::add(y_PC, shortcut_PC));
}

Tensor ImageEncoder::run(const std::function<Tensor(const Tensor&)>& block, const Tensor& x) const {
  if (!checkpointing_) return block(x);
  return checkpoint([block](const std::vector<Tensor>& inputs) { return block(inputs[0]); }, {x});
}

ImageFeatures ImageEncoder::operator()(const Tensor& pixels_PC, const ops::Pictures& pictures) const {
  ImageFeatures features;
  ops::Pictures sizes = pictures;
  Tensor x_PC = stem_(pixels_PC, sizes);
  for (size_t stage = 0; stage < stages_.size(); ++stage) {
    for (const Residual& block : stages_[stage]) {
      const ops::Pictures before = std::exchange(sizes, sizes_after(block.conv1, sizes));
      x_PC = run(
          [this, &block, before](const Tensor& x) {
            ops::Pictures inner = before;
            return residual(block, x, inner);
          },
          x_PC);
    }
    if (stage == 1) {
      features.fine_PC = x_PC;
      features.fine = sizes;
    }
  }
  Tensor tokens_TC = embed_(x_PC);

  std::vector<int32_t> positions;
  ops::Sequences sequences{{0}};
  for (size_t i = 0; i < sizes.count(); ++i) {
    for (int32_t row = 0; row < sizes.heights[i]; ++row) {
      for (int32_t column = 0; column < sizes.widths[i]; ++column) positions.insert(positions.end(), {row, column});
    }
    sequences.offsets.push_back(static_cast<int32_t>(positions.size() / 2));
  }
  const Tensor positions_T2 = Tensor::from(positions, {static_cast<int64_t>(positions.size() / 2), 2});
  for (const nn::TransformerBlock& block : blocks_) {
    tokens_TC = run([&block, positions_T2, sequences](const Tensor& x) { return block(x, positions_T2, sequences); },
                    tokens_TC);
  }
  features.tokens_TC = norm_(tokens_TC);
  features.coarse = sizes;
  return features;
}

}  // namespace sensorium::modality
