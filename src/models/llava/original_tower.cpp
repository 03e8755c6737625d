#include "models/llava/original_tower.h"

#include <algorithm>

#include "io/checkpoint_folder.h"
#include "models/checkpoint/tensor_files.h"

namespace sensorium::models {
namespace {

namespace fs = std::filesystem;

// Towers of the released models whose weights are inside: their own folder is then not needed for its sizes.
struct KnownTower {
  const char* name;
  const char* model_type;
  int64_t width, mlp_width, image_size, layers;
};
constexpr std::array<KnownTower, 3> kKnown = {{
    {"clip-vit-large-patch14-336", "clip_vision_model", 1024, 4096, 336, 24},
    {"clip-vit-large-patch14", "clip_vision_model", 1024, 4096, 224, 24},
    {"siglip-so400m-patch14-384", "siglip_vision_model", 1152, 4304, 384, 27},
}};

std::string last_component(const std::string& tower) {
  const fs::path path = fs::path(tower).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

}  // namespace

OriginalTower::OriginalTower(fs::path folder, std::string name, const fs::path& given)
    : model_(std::move(folder)), name_(std::move(name)) {
  if (!given.empty()) {
    require(is_there(given / "config.json"), ErrorKind::not_found,
            "{}: no vision tower there (expected a folder with config.json)", given.string());
    folder_ = given;
  } else {
    for (const fs::path& place : places()) {
      if (folder_.empty() && is_there(place / "config.json")) folder_ = place;
    }
  }
  config_ = read_config();
  is_siglip_ = config_.at("model_type") == "siglip_vision_model";
  if (!is_siglip_) return;
  const int64_t layers = ConfigReader(config_, folder_.string()).get_int_or("num_hidden_layers", 12, 2, 1024);
  config_["num_hidden_layers"] = layers - 1;
}

std::array<fs::path, 2> OriginalTower::places() const {
  const std::string name = last_component(name_);
  return {model_ / name, fs::absolute(model_).lexically_normal() / ".." / name};
}

void OriginalTower::fail_without(const char* lacks) const {
  const auto looked = places();
  fail(ErrorKind::not_found,
       "{}: the vision tower \"{}\" is missing ({}): put its folder at {} or {}, or give --tower DIR", model_.string(),
       name_, lacks, looked[0].string(), looked[1].lexically_normal().string());
}

Json OriginalTower::read_config() const {
  if (!folder_.empty()) {
    const Json config = without_nulls(read_json_file(folder_ / "config.json"));
    require(config.is_object(), ErrorKind::invalid_data, "{}: expected a JSON object, found {}",
            (folder_ / "config.json").string(), config.type_name());
    Json vision = config.contains("vision_config") ? config.at("vision_config") : config;
    require(vision.is_object(), ErrorKind::invalid_data, "{}: \"vision_config\" is {}, expected an object",
            (folder_ / "config.json").string(), vision.type_name());
    // A file of both towers may name the vision tower's class by its own model_type only.
    if (!vision.contains("model_type")) {
      const bool siglip = config.value("model_type", Json()) == "siglip";
      vision["model_type"] = siglip ? "siglip_vision_model" : "clip_vision_model";
    }
    return vision;
  }
  const std::string name = last_component(name_);
  const auto* const known =
      std::find_if(kKnown.begin(), kKnown.end(), [&](const KnownTower& tower) { return tower.name == name; });
  if (known == kKnown.end()) fail_without("nothing says its sizes");
  return {{"model_type", known->model_type},
          {"hidden_size", known->width},
          {"intermediate_size", known->mlp_width},
          {"patch_size", 14},
          {"image_size", known->image_size},
          {"num_hidden_layers", known->layers},
          {"num_attention_heads", 16}};
}

modality::LocatedJson OriginalTower::image_processor(const std::string& where) const {
  if (!folder_.empty() && is_there(folder_ / "preprocessor_config.json")) {
    modality::LocatedJson processor = modality::read_processor_json(folder_);
    require(processor.json.is_object(), ErrorKind::invalid_data, "{}: expected a JSON object, found {}",
            processor.where, processor.json.type_name());
    return processor;
  }
  const Json size = config_.at("image_size"), square = {{"height", size}, {"width", size}};
  if (!is_siglip_) return {{{"size", {{"shortest_edge", size}}}, {"crop_size", square}}, where};
  const Json half = {0.5, 0.5, 0.5};
  return {{{"size", square}, {"do_center_crop", false}, {"image_mean", half}, {"image_std", half}}, where};
}

// The folder may also hold a text tower, SigLIP's pooling, and its last block.
void OriginalTower::add_weights(TensorFiles& files) const {
  if (folder_.empty()) fail_without("the model's files hold no weights of it");
  const std::string unused =
      is_siglip_ ? fmt::format("vision_model.encoder.layers.{}.", config_.at("num_hidden_layers").get<int64_t>()) : "";
  const io::CheckpointFolder folder = io::CheckpointFolder::open(folder_);
  for (const std::string& name : folder.names()) {
    if (!name.starts_with("vision_model.") || (!unused.empty() && name.starts_with(unused))) continue;
    files.add("vision_tower." + name, folder.tensor(name), (folder_ / name).string());
  }
}

}  // namespace sensorium::models
