#include "models/clip/clip.h"

#include <algorithm>

#include "models/checkpoint/weights.h"
#include "models/dual_encoder/dual_encoder.h"
#include "models/vision/published.h"

namespace sensorium::models {
namespace {

// The class's default, and what files from before transformers 4.31 say instead; there the end token is the greatest id.
constexpr int64_t kEndToken = 49407, kOldEndToken = 2;

class Clip : public DualEncoder {
 public:
  Clip(const Checkpoint& checkpoint, DType compute) : DualEncoder(checkpoint, compute, "clip", {}) {
    const std::string& where = checkpoint.where();
    ConfigReader reader(checkpoint.config(), where);
    const Json& vision = reader.child("vision_config");
    const Json text = without_nulls(reader.child("text_config"));
    const modality::VisionTransformerConfig vision_config = read_clip_vision(vision, where + ": vision_config");
    const TextTowerConfig text_config = TextTowerConfig::from_json(text, where + ": text_config",
                                                                   {.vocabulary = 49408,
                                                                    .context = 77,
                                                                    .dim = 512,
                                                                    .layers = 12,
                                                                    .heads = 8,
                                                                    .mlp_width = 2048,
                                                                    .activation = kernels::Unary::quick_gelu});
    ConfigReader text_reader(text, where + ": text_config");
    end_token_ = static_cast<int32_t>(text_reader.get_int_or("eos_token_id", kEndToken, 0, 1 << 22));
    const int64_t dim = reader.get_int_or("projection_dim", 512, 1, 1 << 16);

    CheckpointWeights weights(checkpoint);
    weights.map("vision.", {"vision_model."}, vision_rules());
    weights.map("text.", {"text_model."}, text_tower_rules());
    weights.map("", {""},
                {{"vision_projection", {"visual_projection"}},
                 {"text_projection", {"text_projection"}},
                 {"logit_scale", {"logit_scale"}}});
    weights.ignore("*.position_ids");
    store_ = weights.load([&](nn::ParameterStore& store) {
      vision_ = modality::VisionTransformer(store, "vision", vision_config);
      vision_projection_ = nn::Linear(store, "vision_projection", vision_config.dim, dim, nn::Bias::none);
      text_ = TextTower(store, "text", text_config);
      text_projection_ = nn::Linear(store, "text_projection", text_config.dim, dim, nn::Bias::none);
      logit_scale_ = store.add("logit_scale", Shape());
    });
    embedding_dim_ = dim;
    check_sizes();
  }

 private:
  // The class token's state stands for the picture.
  Tensor project_images(const Tensor& pixels_N3SS) const override {
    return vision_projection_(vision_.class_states(pixels_N3SS, compute_));
  }

  // The state of the first end token stands for the text.
  Tensor project_texts(const Tensor& ids_T, const ops::Sequences& texts) const override {
    std::vector<int32_t> rows;
    const int32_t* ids = ids_T.data<int32_t>();
    for (size_t i = 0; i < texts.count(); ++i) {
      const int32_t* begin = ids + texts.offsets[i];
      const int32_t* end = ids + texts.offsets[i + 1];
      const int32_t* found =
          end_token_ == kOldEndToken ? std::max_element(begin, end) : std::find(begin, end, end_token_);
      require(found != end, ErrorKind::invalid_data, "{}: the tokenizer does not end a text with token {}", name_,
              end_token_);
      rows.push_back(static_cast<int32_t>(found - ids));
    }
    const Tensor rows_T = Tensor::from(rows, {static_cast<int64_t>(rows.size())});
    return text_projection_(ops::gather_rows(text_(ids_T, texts, compute_), rows_T));
  }

  std::vector<int32_t> encode(const std::string& text) const override {
    std::vector<int32_t> ids = tokenizer_->encode(text, {.affixes = text::Affixes::model});
    cut_to_context(ids, text_.config().context);
    return ids;
  }

  int32_t end_token_ = 0;
  nn::Linear vision_projection_, text_projection_;
};

}  // namespace

modality::VisionTransformerConfig read_clip_vision(const Json& config, const std::string& where) {
  return read_vision_sizes(config, where, {.activation = kernels::Unary::quick_gelu});
}

std::unique_ptr<Model> load_clip(const Checkpoint& checkpoint, DType compute) {
  return std::make_unique<Clip>(checkpoint, compute);
}

}  // namespace sensorium::models
