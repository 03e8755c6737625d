#include "models/imagebind/config.h"

#include <cmath>

namespace sensorium::models {
namespace {

constexpr float kNormEps = 1e-6f;

// Returns the width.
int64_t read_trunk(ConfigReader& reader, modality::PatchTransformerConfig& config, const std::string& where) {
  const int64_t dim = reader.get_int("hidden_size", 8, 1 << 16);
  config.layers = reader.get_int("num_hidden_layers", 1, 1024);
  config.heads = reader.get_int("num_attention_heads", 1, 1024);
  config.mlp_width = reader.get_int_or("intermediate_size", 4 * dim, 8, 1 << 18);
  config.norm_eps = kNormEps;
  require(dim % config.heads == 0 && dim / config.heads % 8 == 0 && dim / config.heads <= 256, ErrorKind::unsupported,
          "{}: \"hidden_size\" {} in {} heads; attention is made for sizes that are multiples of 8 up to 256", where,
          dim, config.heads);
  return dim;
}

ImagebindTower read_vision(const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  ImagebindTower tower;
  const int64_t dim = read_trunk(reader, tower.transformer, where);
  const int64_t size = reader.get_int_or("image_size", 224, 1, 1 << 14);
  const int64_t patch = reader.get_int_or("patch_size", 14, 1, size);
  tower.frames = reader.get_int_or("num_frames", 2, 1, 64);
  tower.transformer.stem = {dim, 3, tower.frames, patch, patch};
  tower.input = {3 * tower.frames, size, size};
  tower.window = {.height = patch, .width = patch, .stride = patch};
  tower.transformer.pre_norm = true;
  return tower;
}

// Depth and thermal.
ImagebindTower read_map(const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  ImagebindTower tower;
  const int64_t dim = read_trunk(reader, tower.transformer, where);
  const int64_t size = reader.get_int_or("image_size", 224, 1, 1 << 14);
  const int64_t patch = reader.get_int_or("patch_size", 16, 1, size);
  tower.transformer.stem = {dim, 1, patch, patch};
  tower.input = {1, size, size};
  tower.window = {.height = patch, .width = patch, .stride = patch};
  return tower;
}

ImagebindTower read_audio(const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  ImagebindTower tower;
  const int64_t dim = read_trunk(reader, tower.transformer, where);
  const int64_t bins = reader.get_int_or("num_mel_bins", 128, 1, 1024);
  const int64_t frames = reader.get_int_or("num_mel_frames", 204, 1, 1 << 16);
  const int64_t patch = reader.get_int_or("patch_size", 16, 1, std::min(bins, frames));
  tower.transformer.stem = {dim, 1, patch, patch};
  tower.input = {1, bins, frames};
  tower.window = {.height = patch, .width = patch, .stride = reader.get_int_or("patch_stride", 10, 1, patch)};
  return tower;
}

ImagebindTower read_imu(const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  ImagebindTower tower;
  const int64_t dim = read_trunk(reader, tower.transformer, where);
  const int64_t channels = reader.get_int_or("num_channels", 6, 1, 64);
  const int64_t steps = reader.get_int_or("num_steps", 2000, 1, 1 << 20);
  const int64_t patch = reader.get_int_or("patch_size", 8, 1, steps);
  tower.transformer.stem = {dim, channels * patch};
  tower.input = {channels, 1, steps};
  tower.window = {.height = 1, .width = patch, .stride = patch};
  return tower;
}

struct SenseRow {
  InputSense sense;
  const char* name;
  const char* key;
  ImagebindTower (*read)(const Json& json, const std::string& where);
  // Below "modality_preprocessors.<name>.".
  const char* stem;
  const char* stem_norm;  // nullptr: none
  const char* position;
  const char* projection;  // below "modality_heads.<name>."
};
constexpr const char* kHelper = "pos_embedding_helper.pos_embed";
constexpr std::array<SenseRow, 5> kRows = {{
    {InputSense::image, "vision", "vision_config", read_vision, "rgbt_stem.proj.1", nullptr, kHelper, "2"},
    {InputSense::audio, "audio", "audio_config", read_audio, "rgbt_stem.proj", "rgbt_stem.norm_layer", kHelper, "2"},
    {InputSense::depth, "depth", "depth_config", read_map, "depth_stem.proj", "depth_stem.norm_layer", kHelper, "2"},
    {InputSense::thermal, "thermal", "thermal_config", read_map, "rgbt_stem.proj", "rgbt_stem.norm_layer", kHelper,
     "2"},
    // Behind a dropout.
    {InputSense::imu, "imu", "imu_config", read_imu, "imu_stem.proj", "imu_stem.norm_layer", "pos_embed", "3"},
}};

std::vector<NameRule> trunk_rules(const std::string& name) {
  const std::string block = fmt::format("modality_trunks.{}.blocks.*.", name);
  return {{"layers.*.norm1", {block + "norm_1"}},
          {"layers.*.attention.qkv.weight", {block + "attn.in_proj_weight"}},
          {"layers.*.attention.qkv.bias", {block + "attn.in_proj_bias"}},
          {"layers.*.attention.out", {block + "attn.out_proj"}},
          {"layers.*.attention.extra_key", {block + "attn.bias_k"}},
          {"layers.*.attention.extra_value", {block + "attn.bias_v"}},
          {"layers.*.norm2", {block + "norm_2"}},
          {"layers.*.mlp", {block + "mlp"}},
          {"scale", {fmt::format("modality_postprocessors.{}.1.log_logit_scale", name)}}};
}

// Sizes from tensors.

// Heads of the released model's widths; other widths have heads of 64 channels, as most of its trunks do.
struct WidthRow {
  int64_t dim, heads;
};
constexpr std::array<WidthRow, 5> kWidths = {{{1280, 16}, {1024, 16}, {768, 12}, {512, 8}, {384, 8}}};
constexpr int64_t kHeadDim = 64;

int64_t heads_of(int64_t dim, const std::string& name, const std::string& where) {
  for (const WidthRow& row : kWidths) {
    if (dim == row.dim) return row.heads;
  }
  require(
      dim % kHeadDim == 0, ErrorKind::unsupported,
      "{}: the {} trunk is {} wide, which no released ImageBind is, and the file does not say how many heads it has; "
      "put it as pytorch_model.bin into a folder with a config.json",
      where, name, dim);
  return dim / kHeadDim;
}

int64_t layers_of(const TensorFiles& files, const std::string& name) {
  int64_t layers = 0;
  while (files.contains(fmt::format("modality_trunks.{}.blocks.{}.norm_1.weight", name, layers))) ++layers;
  return layers;
}

const Shape& shape_of(const TensorFiles& files, const std::string& tensor, int rank, const std::string& where) {
  require(files.contains(tensor), ErrorKind::invalid_data, "{}: tensor {} is missing, which ImageBind has", where,
          tensor);
  const Shape& shape = files.find(tensor).shape;
  require(shape.rank() == rank && shape.elements() > 0, ErrorKind::invalid_data,
          "{}: tensor {} is {}, expected {} dimensions", where, tensor, shape, rank);
  return shape;
}

Json trunk_of(const TensorFiles& files, const std::string& name, int64_t dim, const std::string& where) {
  const Shape& fc1 = shape_of(files, fmt::format("modality_trunks.{}.blocks.0.mlp.fc1.weight", name), 2, where);
  return {{"hidden_size", dim},
          {"num_hidden_layers", layers_of(files, name)},
          {"num_attention_heads", heads_of(dim, name, where)},
          {"intermediate_size", fc1[0]}};
}

// The side of the grid whose cells have a row of the table each, behind the class token's.
int64_t square_side(int64_t rows, const std::string& tensor, const std::string& where) {
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(rows - 1))));
  require(side > 0 && side * side == rows - 1, ErrorKind::invalid_data,
          "{}: tensor {} has {} rows, expected one and a square", where, tensor, rows);
  return side;
}

Json tower_of(const TensorFiles& files, const SenseRow& row, const std::string& where) {
  const std::string below = fmt::format("modality_preprocessors.{}.", row.name), position = below + row.position;
  const int64_t rows = shape_of(files, position, 3, where)[1];
  const std::string stem_name = below + row.stem + ".weight";
  const Shape& stem = shape_of(files, stem_name,
                               row.sense == InputSense::image ? 5
                               : row.sense == InputSense::imu ? 2
                                                              : 4,
                               where);
  Json json = trunk_of(files, row.name, stem[0], where);
  if (row.sense == InputSense::imu) {
    json["num_steps"] = (rows - 1) * 8;
    json["patch_size"] = 8;
    json["num_channels"] = stem[1] / 8;
  } else if (row.sense == InputSense::audio) {
    json["patch_size"] = stem[-1];
    json["patch_stride"] = 10;
    json["num_mel_bins"] = 128;
    json["num_mel_frames"] = 204;
  } else {
    json["patch_size"] = stem[-1];
    json["image_size"] = square_side(rows, position, where) * stem[-1];
    if (row.sense == InputSense::image) json["num_frames"] = stem[2];
  }
  return json;
}

}  // namespace

ImagebindConfig ImagebindConfig::from_json(const Json& json, const std::string& where) {
  const Json given = without_nulls(json);
  ConfigReader reader(given, where);
  ImagebindConfig config;
  config.dim = reader.get_int_or("projection_dim", config.dim, 1, 1 << 16);
  for (const SenseRow& row : kRows) {
    if (!reader.has(row.key)) continue;
    ImagebindTower tower = row.read(reader.child(row.key), where + ": " + row.key);
    tower.transformer.patches = tower.window.rows(tower.input[1]) * tower.window.columns(tower.input[2]);
    tower.transformer.stem_norm = tower.transformer.extra_key = row.sense != InputSense::image;
    tower.transformer.pre_norm = row.sense == InputSense::image;
    config.towers.emplace(row.sense, std::move(tower));
  }
  if (reader.has("text_config")) {
    config.text = TextTowerConfig::from_json(reader.child("text_config"), where + ": text_config",
                                             {.vocabulary = 49408,
                                              .context = 77,
                                              .dim = 1024,
                                              .layers = 24,
                                              .heads = 16,
                                              .mlp_width = 4096,
                                              .norm_eps = kNormEps});
  }
  require(
      !config.towers.empty() || config.text, ErrorKind::invalid_data,
      "{}: has none of \"vision_config\", \"text_config\", \"audio_config\", \"depth_config\", \"thermal_config\" and "
      "\"imu_config\"",
      where);
  return config;
}

Json imagebind_config_of(const TensorFiles& files, const std::string& where) {
  Json json = {{"model_type", "imagebind"}};
  const auto set_dim = [&](const std::string& projection) {
    const int64_t dim = shape_of(files, projection, 2, where)[0];
    const int64_t before = json.value("projection_dim", dim);
    require(before == dim, ErrorKind::invalid_data, "{}: tensor {} gives vectors of {} numbers, other senses of {}",
            where, projection, dim, before);
    json["projection_dim"] = dim;
  };
  std::string missing;
  for (const SenseRow& row : kRows) {
    const std::string token = fmt::format("modality_preprocessors.{}.cls_token", row.name);
    missing += (missing.empty() ? "" : ", ") + token;
    if (!files.contains(token)) continue;
    json[row.key] = tower_of(files, row, where);
    set_dim(fmt::format("modality_heads.{}.{}.weight", row.name, row.projection));
  }
  const std::string embedding = "modality_preprocessors.text.token_embedding.weight";
  if (files.contains(embedding)) {
    const Shape& table = shape_of(files, embedding, 2, where);
    Json text = trunk_of(files, "text", table[1], where);
    text["vocab_size"] = table[0];
    text["max_position_embeddings"] = shape_of(files, "modality_preprocessors.text.pos_embed", 3, where)[1];
    json["text_config"] = text;
    set_dim("modality_heads.text.proj.1.weight");
  }
  require(json.contains("projection_dim"), ErrorKind::invalid_data,
          "{}: is no ImageBind checkpoint: all of its senses are missing ({}, {}); the file's {} tensors are others",
          where, missing, embedding, files.entries().size());
  return json;
}

std::vector<ImagebindNames> imagebind_names() {
  std::vector<ImagebindNames> all;
  for (const SenseRow& row : kRows) {
    const std::string below = fmt::format("modality_preprocessors.{}.", row.name),
                      head = fmt::format("modality_heads.{}.", row.name);
    std::vector<NameRule> rules = trunk_rules(row.name);
    rules.insert(rules.end(), {{"class_token", {below + "cls_token"}},
                               {"patch", {below + row.stem}},
                               {"position.weight", {below + row.position}},
                               {"pre_norm", {fmt::format("modality_trunks.{}.pre_transformer_layer.0", row.name)}},
                               {"post_norm", {head + "0"}},
                               {"projection", {head + row.projection}}});
    if (row.stem_norm != nullptr) rules.push_back({"stem_norm", {below + row.stem_norm}});
    all.push_back({row.sense, row.name, std::move(rules)});
  }
  std::vector<NameRule> text = trunk_rules("text");
  text.insert(text.end(), {{"embedding", {"modality_preprocessors.text.token_embedding"}},
                           {"position.weight", {"modality_preprocessors.text.pos_embed"}},
                           {"final_norm", {"modality_heads.text.proj.0"}},
                           {"projection", {"modality_heads.text.proj.1"}}});
  all.push_back({InputSense::text, "text", std::move(text)});
  return all;
}

}  // namespace sensorium::models
