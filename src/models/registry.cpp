#include <fmt/ranges.h>

#include <array>

#include "models/clip/clip.h"
#include "models/decoder/published.h"
#include "models/decoder/text_learner.h"
#include "models/imagebind/imagebind.h"
#include "models/llama/llama.h"
#include "models/llava/learner.h"
#include "models/llava/model.h"
#include "models/llava_next/model.h"
#include "models/llava_onevision/model.h"
#include "models/open.h"
#include "models/qwen2/qwen2.h"
#include "models/sensorium/chat.h"
#include "models/siglip/siglip.h"
#include "models/vision/published.h"

namespace sensorium::models {
namespace {

constexpr std::array<ModelFamily, 10> kFamilies = {{
    {"sensorium", "the native model: image encoder with task heads, projector, decoder", load_sensorium,
     FamilyKind::answers, nullptr, watch_film},
    {"llama", "text: Llama 2 and 3, Vicuna, Yi", load_llama, FamilyKind::answers, learn_text<read_llama_config>},
    {"mistral", "text: Mistral", load_mistral, FamilyKind::answers, learn_text<read_mistral_config>},
    {"qwen2", "text: Qwen 1.5, 2 and 2.5", load_qwen2, FamilyKind::answers, learn_text<read_qwen2_config>},
    {"clip", "pictures and texts in one space: CLIP", load_clip, FamilyKind::embeds},
    {"siglip", "pictures and texts in one space: SigLIP", load_siglip, FamilyKind::embeds},
    {"imagebind", "pictures, films, texts, sounds, depth, heat and motion in one space: ImageBind", load_imagebind,
     FamilyKind::embeds},
    {"llava", "questions about pictures: LLaVA 1.5", load_llava, FamilyKind::answers, learn_llava<LlavaModel>},
    {"llava_next", "questions about pictures: LLaVA 1.6 (NeXT)", load_llava_next, FamilyKind::answers,
     learn_llava<LlavaNextModel>},
    {"llava_onevision", "questions about pictures and videos: LLaVA-OneVision", load_llava_onevision,
     FamilyKind::answers, learn_llava<LlavaOnevisionModel>, read_film_frames, read_picture_frames},
}};

// Decoders of multimodal models, by the model_type of their "text_config".
constexpr std::array<DecoderFamily, 3> kDecoders = {{
    {"llama", read_llama_config},
    {"mistral", read_mistral_config},
    {"qwen2", read_qwen2_config},
}};

// Vision towers of multimodal models, by the model_type of their "vision_config".
constexpr std::array<VisionFamily, 2> kTowers = {{
    {"clip_vision_model", read_clip_vision},
    {"siglip_vision_model", read_siglip_vision},
}};

// The row of a table by model_type. Throws Error(unsupported) with what is known.
template <typename Row, size_t N>
const Row& find_row(const std::array<Row, N>& table, const std::string& type, const std::string& where) {
  std::vector<std::string> known;
  for (const Row& row : table) {
    if (type == row.model_type) return row;
    known.emplace_back(row.model_type);
  }
  const std::string near = nearest_match(type, known);
  fail(ErrorKind::unsupported, "{}: model_type \"{}\" is none that this program knows{}", where, type,
       near.empty() ? fmt::format(" ({})", fmt::join(known, ", ")) : fmt::format("; did you mean \"{}\"?", near));
}

}  // namespace

std::span<const ModelFamily> model_families() { return kFamilies; }

const ModelFamily& family_of(const Checkpoint& checkpoint) {
  return find_row(kFamilies, checkpoint.config().at("model_type").get<std::string>(), checkpoint.where());
}

const DecoderFamily& decoder_family(const std::string& model_type, const std::string& where) {
  return find_row(kDecoders, model_type, where);
}

const VisionFamily& vision_family(const std::string& model_type, const std::string& where) {
  return find_row(kTowers, model_type, where);
}

const ModelFamily& family_of(const std::filesystem::path& path, const LoadOptions& options) {
  return family_of(*Checkpoint::open(path, options));
}

std::unique_ptr<Model> load_model(const Checkpoint& checkpoint) {
  return family_of(checkpoint).load(checkpoint, checkpoint.options().compute);
}

std::unique_ptr<Model> load_model(const std::filesystem::path& path, const LoadOptions& options) {
  return load_model(*Checkpoint::open(path, options));
}

bool is_native(const std::filesystem::path& path) {
  return family_of(*Checkpoint::open(path, {})).load == load_sensorium;
}

std::unique_ptr<Learner> load_learner(const std::filesystem::path& path, const LearnerOptions& options) {
  std::unique_ptr<Checkpoint> checkpoint = Checkpoint::open(path, options.load);
  const ModelFamily& family = family_of(*checkpoint);
  require(family.learn != nullptr, ErrorKind::unsupported, "{}: a {} model does not train on conversations",
          path.string(), family.model_type);
  return family.learn(std::move(checkpoint), options);
}

std::unique_ptr<Model> load_model(const std::filesystem::path& path, DType compute) {
  return load_model(path, LoadOptions{.compute = compute});
}

}  // namespace sensorium::models
