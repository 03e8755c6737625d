#include "models/llava/original_layout.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include "io/checkpoint_folder.h"
#include "models/checkpoint/names.h"
#include "models/llava/original_tower.h"
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
  const char* architecture;  // where that says "llava" only
  const char* decoder;
};
constexpr std::array<DecoderRow, 3> kDecoders = {{
    {"llava_llama", "LlavaLlamaForCausalLM", "llama"},
    {"llava_mistral", "LlavaMistralForCausalLM", "mistral"},
    {"llava_qwen", "LlavaQwenForCausalLM", "qwen2"},
}};

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

// How pictures come into the tower, and what is made of their tiles: "image_aspect_ratio" and "mm_patch_merge_type".
struct Aspect {
  bool pads = false;
  const char* family = "llava";
  std::string limit;  // "anyres_max_9"
};

Aspect read_aspect(ConfigReader& reader, const std::string& where) {
  const std::string aspect = reader.get_or<std::string>("image_aspect_ratio", "square");
  if (aspect == "square" || aspect == "pad") return {.pads = aspect == "pad"};
  const bool limited = aspect.starts_with("anyres_max_");
  require(limited || aspect == "anyres", ErrorKind::unsupported,
          "{}: \"image_aspect_ratio\" is \"{}\", supported are square, pad, anyres, anyres_max_9 and other numbers",
          where, aspect);
  const std::string merge = reader.get_or<std::string>("mm_patch_merge_type", "flat");
  require(merge == "spatial_unpad", ErrorKind::unsupported,
          "{}: \"mm_patch_merge_type\" is \"{}\", supported for {} is spatial_unpad", where, merge, aspect);
  if (!limited) return {.family = "llava_next"};
  // Of films.
  const std::string newline = reader.get_or<std::string>("mm_newline_position", "one_token");
  require(newline == "one_token", ErrorKind::unsupported,
          "{}: \"mm_newline_position\" is \"{}\", supported is one_token", where, newline);
  require(!reader.get_or<bool>("add_faster_video", false), ErrorKind::unsupported,
          "{}: \"add_faster_video\" is set, films of two speeds are not supported", where);
  return {.family = "llava_onevision", .limit = aspect};
}

// "(1x1),...,(6x6)": all grids from the first to the last, in views of `size` pixels.
Json grids_between(const std::string& text, int64_t size, const std::string& where) {
  std::array<int64_t, 4> ends{};  // width, height of the first, of the last
  int used = 0;
  const bool fits =
      std::sscanf(text.c_str(), "(%ldx%ld),...,(%ldx%ld)%n", &ends[0], &ends[1], &ends[2], &ends[3], &used) == 4 &&
      static_cast<size_t>(used) == text.size() && ends[0] >= 1 && ends[1] >= 1 && ends[2] <= 64 && ends[3] <= 64;
  require(fits, ErrorKind::invalid_data, "{}: \"image_grid_pinpoints\" is \"{}\", expected (1x1),...,(6x6)", where,
          text);
  Json grids = Json::array();
  for (int64_t width = ends[0]; width <= ends[2]; ++width) {
    for (int64_t height = ends[1]; height <= ends[3]; ++height) grids.push_back({height * size, width * size});
  }
  return grids;
}

// [[width, height], ..] of the original -> [[height, width], ..].
Json turn_pinpoints(const Json& pinpoints, int64_t size, const std::string& where) {
  if (pinpoints.is_string()) return grids_between(pinpoints.get<std::string>(), size, where);
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
    tower_.emplace(folder, reader.get<std::string>("mm_vision_tower"), options.tower);
    aspect_ = read_aspect(reader, where_file_);
    const std::string projector = reader.get_or<std::string>("mm_projector_type", "linear");
    require(projector == "mlp2x_gelu", ErrorKind::unsupported,
            "{}: \"mm_projector_type\" is \"{}\", supported is mlp2x_gelu", where_file_, projector);
    require(!reader.get_or<bool>("mm_use_im_start_end", false) && !reader.get_or<bool>("mm_use_im_patch_token", false),
            ErrorKind::unsupported,
            "{}: \"mm_use_im_start_end\" or \"mm_use_im_patch_token\" is set, as no model since 1.5 has it",
            where_file_);

    const std::string feature = select_strategy(reader.get_or<std::string>("mm_vision_select_feature", "patch"));
    Json config = {{"model_type", aspect_.family},
                   {"text_config", given},
                   {"vision_config", tower_->config()},
                   {"vision_feature_layer", reader.get_or<int64_t>("mm_vision_select_layer", -2)},
                   {"vision_feature_select_strategy", feature},
                   {"projector_hidden_act", "gelu"}};
    // The original's SigLIP heeds neither key.
    if (tower_->is_siglip()) {
      config["vision_feature_layer"] = -1;
      config["vision_feature_select_strategy"] = "full";
    }
    if (!aspect_.limit.empty()) config["vision_aspect_ratio"] = aspect_.limit;
    config["text_config"]["model_type"] = decoder_type(reader);
    if (given.contains("image_grid_pinpoints")) {
      const int64_t size = ConfigReader(tower_->config(), where_file_).get_int_or("image_size", 224, 1, 1 << 14);
      config["image_grid_pinpoints"] = turn_pinpoints(given.at("image_grid_pinpoints"), size, where_file_);
    }
    set_config(std::move(config), where_file_);
  }

  std::shared_ptr<const text::Tokenizer> tokenizer() const override { return text::load_tokenizer(path()); }

  // The original code writes its prompts itself, whatever the files of the decoder say.
  std::optional<text::ChatTemplate> chat_template() const override { return std::nullopt; }

  modality::LocatedJson image_processor() const override {
    modality::LocatedJson processor = tower_->image_processor(where_file_);
    processor.json["image_processor_type"] = "LlavaImageProcessor";
    processor.json["do_pad"] = aspect_.pads;
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
    if (!has_tower) tower_->add_weights(files);
    return files;
  }

 private:
  std::string decoder_type(ConfigReader& reader) const {
    const std::string model_type = reader.get_or<std::string>("model_type", "llava");
    std::vector<std::string> architectures;
    if (reader.has("architectures")) architectures = reader.get<std::vector<std::string>>("architectures");
    std::string names = "llava";
    for (const DecoderRow& row : kDecoders) {
      const bool named = std::find(architectures.begin(), architectures.end(), row.architecture) != architectures.end();
      if (model_type == row.model_type || (model_type == "llava" && named)) return row.decoder;
      names += fmt::format(", {}", row.model_type);
    }
    if (model_type == "llava") return kDecoders[0].decoder;
    fail(ErrorKind::unsupported, "{}: model_type \"{}\" with \"mm_vision_tower\", supported are {}", where_file_,
         model_type, names);
  }

  std::string select_strategy(const std::string& feature) const {
    require(feature == "patch" || feature == "cls_patch", ErrorKind::invalid_data,
            "{}: \"mm_vision_select_feature\" is \"{}\", expected patch or cls_patch", where_file_, feature);
    return feature == "patch" ? "default" : "full";
  }

  std::string where_file_;
  std::optional<OriginalTower> tower_;
  Aspect aspect_;
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
