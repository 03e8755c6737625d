// Legend: P positions of all frames, N frames of all films, M cells of all frames, K cells of a frame, C channels.
#include "modality/video/encoder.h"

#include <cmath>
#include <cstring>

namespace sensorium::modality {
namespace {

class VideoSignalConfig : public SignalEncoderConfig {
 public:
  explicit VideoSignalConfig(const VideoEncoderConfig& config) : config_(config) {}
  int64_t dim() const override { return config_.dim; }
  OrderedJson to_json() const override { return config_.to_json(); }
  std::unique_ptr<SignalEncoder> make(nn::ParameterStore& store, const std::string& name,
                                      const ImageEncoderConfig& eyes) const override {
    return std::make_unique<VideoEncoder>(store, name, config_, eyes.dim);
  }

 private:
  VideoEncoderConfig config_;
};

// Each cell beside its difference from one frame before, which is zero in the first frame: f32 [M, C] -> [M, 2C].
Tensor with_differences(const Tensor& cells_MC, std::span<const Signal* const> signals, int64_t cells) {
  const int64_t channels = cells_MC.dim(1), frame = cells * channels;
  const Tensor result_MD = Tensor::zeros({cells_MC.dim(0), 2 * channels});
  const float* in = cells_MC.data<float>();
  float* out = result_MD.data<float>();
  for (const Signal* signal : signals) {
    for (int t = 0; t < signal->frames; ++t) {
      for (int64_t k = 0; k < cells; ++k, in += channels, out += 2 * channels) {
        std::memcpy(out, in, static_cast<size_t>(channels) * sizeof(float));
        if (t == 0) continue;
        for (int64_t c = 0; c < channels; ++c) out[channels + c] = in[c] - in[c - frame];
      }
    }
  }
  return result_MD;
}

}  // namespace

VideoEncoderConfig VideoEncoderConfig::from_json(const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  VideoEncoderConfig config;
  config.cells = reader.get_int_or("cells", config.cells, 1, 32);
  config.dim = reader.get_int("dim", 8, 16384);
  config.layers = reader.get_int("layers", 0, 256);
  config.heads = reader.get_int("heads", 1, 256);
  config.mlp_width = reader.get_int("mlp_width", 8, 65536);
  const double rope_theta = reader.get_or<double>("rope_theta", config.rope_theta);
  reader.finish();
  require(config.dim % config.heads == 0 && config.dim / config.heads % 8 == 0, ErrorKind::invalid_data,
          "{}: dim {} over {} heads gives no multiple of 8 for each", where, config.dim, config.heads);
  require(rope_theta >= 1 && rope_theta <= 1e12, ErrorKind::invalid_data, "{}: rope_theta is {}, expected 1..1e12",
          where, rope_theta);
  config.rope_theta = static_cast<float>(rope_theta);
  return config;
}

OrderedJson VideoEncoderConfig::to_json() const {
  return {{"cells", cells},          {"dim", dim}, {"layers", layers}, {"heads", heads}, {"mlp_width", mlp_width},
          {"rope_theta", rope_theta}};
}

VideoEncoder::VideoEncoder(nn::ParameterStore& store, const std::string& name, const VideoEncoderConfig& config,
                           int64_t eyes_dim)
    : config_(config) {
  embed_ = nn::Linear(store, name + ".embed", 2 * eyes_dim, config.dim, nn::Bias::none);
  place_ = store.add(name + ".place", {config.cells * config.cells, config.dim}, nn::Init::normal, 0.5f);
  const nn::AttentionConfig attention{.dim = config.dim,
                                      .heads = config.heads,
                                      .kv_heads = config.heads,
                                      .head_dim = config.dim / config.heads,
                                      .causal = false,
                                      .rope_theta = config.rope_theta};
  const float out_scale = config.layers == 0 ? 1.0f : 1.0f / std::sqrt(2.0f * static_cast<float>(config.layers));
  for (int64_t i = 0; i < config.layers; ++i)
    blocks_.emplace_back(store, fmt::format("{}.blocks.{}", name, i), attention, config.mlp_width, out_scale);
  norm_ = nn::RmsNorm(store, name + ".norm", config.dim);
}

Tensor cell_means(const Tensor& x_PC, const ops::Pictures& pictures, int64_t cells) {
  const Tensor values_PC = x_PC.to(DType::f32);
  const int64_t channels = x_PC.dim(1);
  const Tensor means_MC = Tensor::zeros({static_cast<int64_t>(pictures.count()) * cells * cells, channels});
  const float* in = values_PC.data<float>();
  float* out = means_MC.data<float>();
  for (size_t i = 0; i < pictures.count(); ++i) {
    const int64_t height = pictures.heights[i], width = pictures.widths[i];
    const auto begin = [&](int64_t part, int64_t side) { return part * side / cells; };
    const auto end = [&](int64_t part, int64_t side) { return ((part + 1) * side + cells - 1) / cells; };
    for (int64_t row = 0; row < cells; ++row) {
      for (int64_t column = 0; column < cells; ++column, out += channels) {
        const int64_t top = begin(row, height), bottom = end(row, height);
        const int64_t left = begin(column, width), right = end(column, width);
        const float share = 1.0f / static_cast<float>((bottom - top) * (right - left));
        for (int64_t y = top; y < bottom; ++y) {
          for (int64_t x = left; x < right; ++x) {
            const float* value = in + (y * width + x) * channels;
            for (int64_t c = 0; c < channels; ++c) out[c] += share * value[c];
          }
        }
      }
    }
    in += height * width * channels;
  }
  return means_MC;
}

ImageFeatures VideoEncoder::operator()(const ImageEncoder& eyes, std::span<const Signal* const> signals,
                                       DType compute) const {
  const int64_t cells = config_.cells * config_.cells;
  Tensor seen_MD;
  {
    const NoGrad no_grad;
    const PreparedSignals prepared = pack_signals(signals, compute);
    const ImageFeatures frames = eyes(prepared.values_PC, prepared.sizes);
    seen_MD = with_differences(cell_means(frames.tokens_TC, frames.coarse, config_.cells), signals, cells).to(compute);
  }
  ImageFeatures features;
  std::vector<int32_t> places, times;
  ops::Sequences sequences{{0}};
  for (const Signal* signal : signals) {
    for (int32_t t = 0; t < signal->frames; ++t) {
      for (int32_t place = 0; place < cells; ++place) {
        places.push_back(place);
        times.push_back(t);
      }
    }
    sequences.offsets.push_back(static_cast<int32_t>(places.size()));
    features.coarse.heights.push_back(signal->frames);
    features.coarse.widths.push_back(static_cast<int32_t>(cells));
  }
  const auto count = static_cast<int64_t>(places.size());
  const Tensor positions_M = Tensor::from(times, {count});
  Tensor x_MC = ops::add(embed_(seen_MD), ops::gather_rows(place_, Tensor::from(places, {count}), compute));
  for (const nn::TransformerBlock& block : blocks_) {
    if (checkpointing_) {
      x_MC = checkpoint([&block, positions_M, sequences](
                            const std::vector<Tensor>& inputs) { return block(inputs[0], positions_M, sequences); },
                        {x_MC});
    } else {
      x_MC = block(x_MC, positions_M, sequences);
    }
  }
  features.tokens_TC = norm_(x_MC);
  return features;
}

SharedEncoderConfig video_signal_encoder(const VideoEncoderConfig& config) {
  return std::make_shared<VideoSignalConfig>(config);
}

SharedEncoderConfig read_video_encoder(const SenseKind& /*sense*/, const Json& json, const std::string& where) {
  return video_signal_encoder(VideoEncoderConfig::from_json(json, where));
}

}  // namespace sensorium::modality
