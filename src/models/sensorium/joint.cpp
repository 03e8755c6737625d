// Legend: N inputs, T tokens of all texts, C channels.
#include "models/sensorium/joint.h"

#include <algorithm>

namespace sensorium::models {
namespace {

constexpr float kUnitEps = 1e-12f;
constexpr float kNormEps = 1e-5f;
constexpr float kTextRopeTheta = 100.0f;      // texts are short
constexpr float kStartLogScale = 2.6592600f;  // log(1 / 0.07), CLIP's start

}  // namespace

JointSpace::JointSpace(nn::ParameterStore& store, const SensoriumConfig& config) : config_(*config.joint) {
  const auto add = [&](const std::string& sense, int64_t dim) {
    const std::string name = "joint." + sense;
    heads_.emplace(sense, Head{nn::LayerNorm(store, name + ".norm", dim, kNormEps),
                               nn::Mlp(store, name + ".mlp", dim, config_.width, config_.dim)});
  };
  for (const std::string& name : config_.senses) {
    const auto sense =
        std::ranges::find_if(config.senses, [&](const SenseConfig& known) { return known.kind->name == name; });
    add(name, sense == config.senses.end() ? config.image.dim : sense->encoder->dim());
  }
  const int64_t width = config_.text_width;
  text_lift_ = nn::Linear(store, "joint.text.lift", config.decoder.dim, width, nn::Bias::none);
  const nn::AttentionConfig attention{.dim = width,
                                      .heads = config_.text_heads,
                                      .kv_heads = config_.text_heads,
                                      .head_dim = width / config_.text_heads,
                                      .causal = false,
                                      .rope_theta = kTextRopeTheta};
  for (int64_t i = 0; i < config_.text_layers; ++i)
    text_blocks_.emplace_back(store, fmt::format("joint.text.layers.{}", i), attention, 2 * width);
  text_norm_ = nn::RmsNorm(store, "joint.text.norm", width);
  text_out_ = nn::Linear(store, "joint.text.out", width, config_.dim, nn::Bias::none);
  // Stored relative to its start, since a parameter starts at zero or one.
  scale_ = store.add("joint.scale", {1}, nn::Init::zeros);
}

Tensor JointSpace::log_scale() const { return ops::add(scale_, Tensor::full({1}, kStartLogScale)); }

Tensor JointSpace::place(std::string_view sense, const Tensor& pooled_NC) const {
  const auto found = heads_.find(sense);
  require(found != heads_.end(), ErrorKind::unsupported, "this model's joint space has no sense \"{}\"", sense);
  return ops::l2_normalize(found->second.mlp(found->second.norm(pooled_NC)), kUnitEps);
}

Tensor JointSpace::place_texts(const Decoder& decoder, const Queries& texts) const {
  Tensor embedded_TC;
  {
    const NoGrad no_grad;
    embedded_TC = decoder.embed(texts.tokens, DType::f32);
  }
  ops::Sequences sequences{{0}};
  std::vector<int32_t> positions;
  for (int64_t i = 0; i < texts.count(); ++i) {
    const auto begin = texts.offsets[static_cast<size_t>(i)], end = texts.offsets[static_cast<size_t>(i) + 1];
    for (int64_t t = begin; t < end; ++t) positions.push_back(static_cast<int32_t>(t - begin));
    sequences.offsets.push_back(static_cast<int32_t>(end));
  }
  const Tensor positions_T = Tensor::from(positions, {static_cast<int64_t>(positions.size())});
  Tensor x_TC = text_lift_(embedded_TC);
  for (const nn::TransformerBlock& block : text_blocks_) x_TC = block(x_TC, positions_T, sequences);
  const Tensor mean_NC = ops::segment_mean(text_norm_(x_TC), texts.offsets);
  return ops::l2_normalize(text_out_(mean_NC), kUnitEps);
}

std::string joint_text(std::string_view text) {
  constexpr std::string_view kAround = " \t\r\n.,!?;:\"'";
  const size_t begin = text.find_first_not_of(kAround);
  if (begin == std::string_view::npos) return "";
  std::string result(text.substr(begin, text.find_last_not_of(kAround) - begin + 1));
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

Tensor pooled(const modality::ImageFeatures& features) {
  return ops::cast(ops::segment_mean(features.tokens_TC, features.coarse.offsets()), DType::f32);
}

}  // namespace sensorium::models
