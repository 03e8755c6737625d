#include "models/gguf/write_vision.h"

#include <array>
#include <charconv>
#include <string_view>

#include "models/gguf/names.h"

namespace sensorium::models {
namespace {

using io::GgufEntry;
using io::GgufValue;

constexpr std::string_view kLayers = "vision_tower.vision_model.encoder.layers.";
// Read by other models on the same tower.
constexpr std::array<std::string_view, 2> kUnread = {"vision_tower.vision_model.post_layernorm.",
                                                     "vision_tower.vision_model.head."};

// The number of the tower's block that a tensor belongs to; -1 for others.
int64_t block_of(const std::string& name) {
  int64_t block = -1;
  if (name.starts_with(kLayers)) std::from_chars(name.data() + kLayers.size(), name.data() + name.size(), block);
  return block;
}

}  // namespace

WrittenVision WrittenVision::of(const Checkpoint& checkpoint) {
  WrittenVision vision;
  const std::string& where = checkpoint.where();
  vision.config_ = LlavaConfig::read(checkpoint);
  vision.name_ = checkpoint.name();
  vision.model_type_ = checkpoint.config().at("model_type").get<std::string>();
  const LlavaConfig& config = vision.config_;
  require(vision.model_type_ == "llava" || vision.model_type_ == "llava_next", ErrorKind::unsupported,
          "{}: a {} model; GGUF pairs hold llava and llava_next", where, vision.model_type_);
  require(config.vision_states.size() == 1 && config.vision_states[0] > 0, ErrorKind::unsupported,
          "{}: the projector reads {} states of the tower; a GGUF pair is written for one behind a block", where,
          config.vision_states.size());
  require(config.drop_class_token || !config.vision.class_token, ErrorKind::unsupported,
          "{}: the class token is kept, which llama.cpp drops", where);
  const kernels::Unary activation = config.vision.activation;
  require(activation == kernels::Unary::quick_gelu || activation == kernels::Unary::gelu_erf ||
              activation == kernels::Unary::gelu_tanh || activation == kernels::Unary::silu,
          ErrorKind::unsupported, "{}: an activation of the tower that GGUF has no key for", where);
  require(config.projector_activation == kernels::Unary::gelu_erf, ErrorKind::unsupported,
          "{}: a projector of another activation than gelu", where);
  const modality::LocatedJson located = checkpoint.image_processor();
  const auto processor = modality::ImageProcessorConfig::from_json(located.json, located.where, {});
  require(processor.normalizes && processor.rescales, ErrorKind::unsupported, "{}: pixels that are not normalised",
          located.where);
  vision.mean_.assign(processor.mean.begin(), processor.mean.end());
  vision.stddev_.assign(processor.stddev.begin(), processor.stddev.end());
  if (vision.model_type_ == "llava_next") {
    const Json points = checkpoint.config().value("image_grid_pinpoints", Json());
    require(points.is_array() && !points.empty(), ErrorKind::unsupported, "{}: \"image_grid_pinpoints\" is missing",
            where);
    for (const Json& point : points) {
      require(point.is_array() && point.size() == 2 && point[0].is_number_integer() && point[1].is_number_integer(),
              ErrorKind::invalid_data, "{}: \"image_grid_pinpoints\" holds {}, expected [height, width]", where,
              point.dump());
      vision.pinpoints_.push_back(point[1].get<int32_t>());
      vision.pinpoints_.push_back(point[0].get<int32_t>());
    }
  }
  return vision;
}

void WrittenVision::add(WrittenTensors& tensors, const std::string& name, const TensorFiles::Entry& entry) const {
  for (const std::string_view unread : kUnread) {
    if (name.starts_with(unread)) return;
  }
  if (block_of(name) >= config_.vision_states[0]) return;
  const std::optional<std::string> theirs = to_theirs(gguf_vision_names(), name);
  require(theirs.has_value(), ErrorKind::invalid_data, "tensor {} {} is no part of a LLaVA model's tower",
          entry.file_name, entry.shape);
  tensors.add(*theirs, {entry.shape, entry.dtype, entry.read});
}

std::vector<std::string> WrittenVision::expected() const {
  std::vector<std::string> names;
  for (const NamePair& pair : gguf_vision_names()) {
    const std::string theirs = pair.theirs;
    const bool newline = theirs.find("image_newline") != std::string::npos, class_token = theirs == "v.class_embd";
    if (theirs == "v.post_ln" || (theirs == "v.pre_ln" && !config_.vision.pre_norm)) continue;
    if ((newline && pinpoints_.empty()) || (class_token && !config_.vision.class_token)) continue;
    const size_t star = theirs.find('*');
    for (int64_t i = 0; i < (star == std::string::npos ? 1 : config_.vision_states[0]); ++i) {
      std::string name = theirs + (newline || class_token ? "" : ".weight");
      if (star != std::string::npos) name.replace(star, 1, std::to_string(i));
      names.push_back(std::move(name));
    }
  }
  return names;
}

std::vector<GgufEntry> WrittenVision::metadata() const {
  const modality::VisionTransformerConfig& tower = config_.vision;
  const auto number = [](int64_t value) { return GgufValue::of(static_cast<uint32_t>(value)); };
  const bool gelu = tower.activation == kernels::Unary::gelu_erf || tower.activation == kernels::Unary::gelu_tanh;
  const int64_t state = config_.vision_states[0];
  std::vector<GgufEntry> entries = {
      {"general.architecture", GgufValue::of("clip")},
      {"general.type", GgufValue::of("mmproj")},
      {"general.name", GgufValue::of(name_)},
      {"clip.has_vision_encoder", GgufValue::of(true)},
      {"clip.has_llava_projector", GgufValue::of(true)},
      {"clip.projector_type", GgufValue::of("mlp")},
      {"clip.use_gelu", GgufValue::of(gelu)},
      {"clip.use_silu", GgufValue::of(tower.activation == kernels::Unary::silu)},
      {"clip.vision.image_size", number(tower.image_size)},
      {"clip.vision.patch_size", number(tower.patch)},
      {"clip.vision.embedding_length", number(tower.dim)},
      {"clip.vision.feed_forward_length", number(tower.mlp_width)},
      {"clip.vision.projection_dim", number(config_.decoder.dim)},
      {"clip.vision.block_count", number(state)},
      {"clip.vision.feature_layer", GgufValue::array(std::vector<int32_t>{static_cast<int32_t>(state)})},
      {"clip.vision.attention.head_count", number(tower.heads)},
      {"clip.vision.attention.layer_norm_epsilon", GgufValue::of(tower.norm_eps)},
      {"clip.vision.image_mean", GgufValue::array(mean_)},
      {"clip.vision.image_std", GgufValue::array(stddev_)}};
  if (!pinpoints_.empty()) {
    entries.push_back({"clip.vision.image_grid_pinpoints", GgufValue::array(pinpoints_)});
    entries.push_back({"clip.vision.mm_patch_merge_type", GgufValue::of("spatial_unpad")});
  }
  return entries;
}

}  // namespace sensorium::models
