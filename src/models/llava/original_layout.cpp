#include "models/llava/original_layout.h"

#include <algorithm>
#include <array>

#include "io/checkpoint_folder.h"
#include "models/checkpoint/names.h"
#include "text/registry.h"

namespace sensorium::models {
namespace {

namespace fs = std::filesystem;

// Hugging Face's names and the original's. The tower's prefix stands twice: a module inside of a wrapper.
constexpr std::array<NamePair, 6> kNames = {{
    {"multi_modal_projector.linear_1", "model.mm_projector.0"},
    {"multi_modal_projector.linear_2", "model.mm_projector.2"},
    {"image_newline", "model.image_newline"},
    {"vision_tower", "model.vision_tower.vision_tower"},
    {"language_model.model", "model"},
    {"language_model.lm_head", "lm_head"},
}};

struct DecoderRow {
  const char* model_type;
  const char* decoder;
};
constexpr std::array<DecoderRow, 4> kDecoders = {{
    {"llava", "llama"},
    {"llava_llama", "llama"},
    {"llava_mistral", "mistral"},
    {"llava_qwen", "qwen2"},
}};

// Towers of the released models whose weights are inside: their own folder is then not needed for its sizes.
struct TowerRow {
  const char* name;
  int64_t image_size;
};
constexpr std::array<TowerRow, 2> kClipLarge = {{
    {"clip-vit-large-patch14-336", 336},
    {"clip-vit-large-patch14", 224},
}};

std::string last_component(const std::string& tower) {
  const fs::path path = fs::path(tower).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

// What the pictures' way into the tower is called in "image_aspect_ratio".
enum class Aspect : uint8_t { crop, pad, anyres };

Aspect read_aspect(ConfigReader& reader, const std::string& where) {
  const std::string aspect = reader.get_or<std::string>("image_aspect_ratio", "square");
  if (aspect == "square") return Aspect::crop;
  if (aspect == "pad") return Aspect::pad;
  require(aspect == "anyres", ErrorKind::unsupported,
          "{}: \"image_aspect_ratio\" is \"{}\", supported are square, pad, anyres", where, aspect);
  const std::string merge = reader.get_or<std::string>("mm_patch_merge_type", "flat");
  require(merge == "spatial_unpad", ErrorKind::unsupported,
          "{}: \"mm_patch_merge_type\" is \"{}\", supported for anyres is spatial_unpad", where, merge);
  return Aspect::anyres;
}

// [[width, height], ..] of the original -> [[height, width], ..].
Json turn_pinpoints(const Json& pinpoints, const std::string& where) {
  Json turned = Json::array();
  require(pinpoints.is_array(), ErrorKind::invalid_data, "{}: \"image_grid_pinpoints\" is {}, expected a list", where,
          pinpoints.type_name());
  for (const Json& pair : pinpoints) {
    require(pair.is_array() && pair.size() == 2, ErrorKind::invalid_data,
            "{}: \"image_grid_pinpoints\" holds {}, expected [width, height]", where, pair.dump());
    turned.push_back({pair[1], pair[0]});
  }
  return turned;
}

class OriginalLlava : public Checkpoint {
 public:
  OriginalLlava(const fs::path& folder, const LoadOptions& options)
      : Checkpoint(Layout::original_llava, folder, options), where_file_((folder / "config.json").string()) {
    const Json given = without_nulls(read_json_file(folder / "config.json"));
    ConfigReader reader(given, where_file_);
    tower_name_ = reader.get<std::string>("mm_vision_tower");
    tower_ = find_tower();
    aspect_ = read_aspect(reader, where_file_);
    const std::string projector = reader.get_or<std::string>("mm_projector_type", "linear");
    require(projector == "mlp2x_gelu", ErrorKind::unsupported,
            "{}: \"mm_projector_type\" is \"{}\", supported is mlp2x_gelu", where_file_, projector);
    require(!reader.get_or<bool>("mm_use_im_start_end", false) && !reader.get_or<bool>("mm_use_im_patch_token", false),
            ErrorKind::unsupported,
            "{}: \"mm_use_im_start_end\" or \"mm_use_im_patch_token\" is set, as no model since 1.5 has it",
            where_file_);

    Json config = {{"model_type", aspect_ == Aspect::anyres ? "llava_next" : "llava"},
                   {"text_config", given},
                   {"vision_config", tower_config()},
                   {"vision_feature_layer", reader.get_or<int64_t>("mm_vision_select_layer", -2)},
                   {"vision_feature_select_strategy",
                    select_strategy(reader.get_or<std::string>("mm_vision_select_feature", "patch"))},
                   {"projector_hidden_act", "gelu"}};
    config["text_config"]["model_type"] = decoder_type(reader.get_or<std::string>("model_type", "llava"));
    if (given.contains("image_grid_pinpoints")) {
      config["image_grid_pinpoints"] = turn_pinpoints(given.at("image_grid_pinpoints"), where_file_);
    }
    set_config(std::move(config), where_file_);
  }

  std::shared_ptr<const text::Tokenizer> tokenizer() const override { return text::load_tokenizer(path()); }

  // The original code writes its prompts itself, whatever the files of the decoder say.
  std::optional<text::ChatTemplate> chat_template() const override { return std::nullopt; }

  modality::LocatedJson image_processor() const override {
    modality::LocatedJson processor{{}, where_file_};
    if (!tower_.empty() && is_there(tower_ / "preprocessor_config.json")) {
      processor = modality::read_processor_json(tower_);
      require(processor.json.is_object(), ErrorKind::invalid_data, "{}: expected a JSON object, found {}",
              processor.where, processor.json.type_name());
    } else {
      const int64_t size = config().at("vision_config").at("image_size").get<int64_t>();
      processor.json = {{"size", {{"shortest_edge", size}}}, {"crop_size", {{"height", size}, {"width", size}}}};
    }
    processor.json["image_processor_type"] = "LlavaImageProcessor";
    processor.json["do_pad"] = aspect_ == Aspect::pad;
    return processor;
  }

  TensorFiles weights() const override {
    const bool adapter_only = is_there(path() / "mm_projector.bin") && !is_there(path() / "model.safetensors") &&
                              !is_there(path() / "pytorch_model.bin") &&
                              !is_there(path() / "model.safetensors.index.json") &&
                              !is_there(path() / "pytorch_model.bin.index.json");
    require(!adapter_only, ErrorKind::unsupported,
            "{}: holds mm_projector.bin only, a projector for another model; give the folder of the whole model",
            path().string());
    const io::CheckpointFolder folder = io::CheckpointFolder::open(path());
    TensorFiles files;
    files.set_spelling([](const std::string& name) { return to_theirs(kNames, name).value_or(name); });
    bool has_tower = false;
    for (const std::string& name : folder.names()) {
      const std::string ours = to_ours(kNames, name).value_or(name);
      has_tower = has_tower || ours.starts_with("vision_tower.");
      files.add(ours, folder.tensor(name), name);
    }
    if (!has_tower) add_tower(files);
    return files;
  }

 private:
  // "" if there is none: files that hold the tower's weights may do without.
  fs::path find_tower() const {
    if (!options().tower.empty()) {
      require(is_there(options().tower / "config.json"), ErrorKind::not_found,
              "{}: no vision tower there (expected a folder with config.json)", options().tower.string());
      return options().tower;
    }
    for (const fs::path& place : tower_places()) {
      if (is_there(place / "config.json")) return place;
    }
    return {};
  }

  std::array<fs::path, 2> tower_places() const {
    const std::string name = last_component(tower_name_);
    return {path() / name, fs::absolute(path()).lexically_normal() / ".." / name};
  }

  [[noreturn]] void fail_without_tower(const char* lacks) const {
    const auto places = tower_places();
    fail(ErrorKind::not_found,
         "{}: the vision tower \"{}\" is missing ({}): put its folder at {} or {}, or give --tower DIR",
         path().string(), tower_name_, lacks, places[0].string(), places[1].lexically_normal().string());
  }

  Json tower_config() const {
    if (!tower_.empty()) {
      const Json config = without_nulls(read_json_file(tower_ / "config.json"));
      require(config.is_object(), ErrorKind::invalid_data, "{}: expected a JSON object, found {}",
              (tower_ / "config.json").string(), config.type_name());
      Json vision = config.contains("vision_config") ? config.at("vision_config") : config;
      // A file of both towers may name the vision tower's class by its own model_type only.
      if (!vision.contains("model_type")) vision["model_type"] = "clip_vision_model";
      return vision;
    }
    const std::string name = last_component(tower_name_);
    const auto known =
        std::find_if(kClipLarge.begin(), kClipLarge.end(), [&](const auto& row) { return row.name == name; });
    if (known == kClipLarge.end()) fail_without_tower("nothing says its sizes");
    return {
        {"model_type", "clip_vision_model"}, {"hidden_size", 1024},     {"intermediate_size", 4096}, {"patch_size", 14},
        {"image_size", known->image_size},   {"num_hidden_layers", 24}, {"num_attention_heads", 16}};
  }

  std::string decoder_type(const std::string& model_type) const {
    std::string names;
    for (const DecoderRow& row : kDecoders) {
      if (model_type == row.model_type) return row.decoder;
      names += fmt::format("{}{}", names.empty() ? "" : ", ", row.model_type);
    }
    fail(ErrorKind::unsupported, "{}: model_type \"{}\" with \"mm_vision_tower\", supported are {}", where_file_,
         model_type, names);
  }

  std::string select_strategy(const std::string& feature) const {
    require(feature == "patch" || feature == "cls_patch", ErrorKind::invalid_data,
            "{}: \"mm_vision_select_feature\" is \"{}\", expected patch or cls_patch", where_file_, feature);
    return feature == "patch" ? "default" : "full";
  }

  // The tower's own files may hold a text tower as well.
  void add_tower(TensorFiles& files) const {
    if (tower_.empty()) fail_without_tower("the model's files hold no weights of it");
    const io::CheckpointFolder folder = io::CheckpointFolder::open(tower_);
    for (const std::string& name : folder.names()) {
      if (name.starts_with("vision_model.")) {
        files.add("vision_tower." + name, folder.tensor(name), (tower_ / name).string());
      }
    }
  }

  std::string where_file_, tower_name_;
  fs::path tower_;
  Aspect aspect_ = Aspect::crop;
};

}  // namespace

bool is_original_llava(const fs::path& folder) {
  if (!is_there(folder / "config.json")) return false;
  const Json config = read_json_file(folder / "config.json");
  return config.is_object() && config.contains("mm_vision_tower");
}

std::unique_ptr<Checkpoint> open_original_llava(const fs::path& folder, const LoadOptions& options) {
  return std::make_unique<OriginalLlava>(folder, options);
}

}  // namespace sensorium::models
