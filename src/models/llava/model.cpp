#include "models/llava/model.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "models/checkpoint/folder.h"
#include "models/decoder/prompt.h"
#include "models/decoder/published.h"
#include "models/decoder/session.h"
#include "models/decoder/text_model.h"
#include "models/vision/published.h"

namespace sensorium::models {
namespace {

// [T, C] each -> [T, C * parts]: the same row of all parts side by side.
Tensor join_columns(const std::vector<Tensor>& parts) {
  const int64_t rows = parts[0].dim(0);
  const size_t width = parts[0].bytes() / static_cast<size_t>(rows);
  const Tensor joined = Tensor::empty({rows, parts[0].dim(1) * static_cast<int64_t>(parts.size())}, parts[0].dtype());
  auto* to = static_cast<std::byte*>(joined.raw());
  for (int64_t row = 0; row < rows; ++row) {
    for (const Tensor& part : parts) {
      std::memcpy(to, static_cast<const std::byte*>(part.raw()) + static_cast<size_t>(row) * width, width);
      to += width;
    }
  }
  return joined;
}

}  // namespace

LlavaModel::LlavaModel(const std::filesystem::path& directory, DType compute, std::string family, const Json& json)
    : name_(folder_name(directory)),
      family_(std::move(family)),
      compute_(compute),
      config_(LlavaConfig::from_json(json, (directory / "config.json").string())),
      tokenizer_(read_folder_tokenizer(directory)) {
  const modality::LocatedJson processor = modality::read_processor_json(directory);
  processor_ = modality::ImageProcessorConfig::from_json(processor.json, processor.where, {});
  check_vocabulary(*tokenizer_, config_.decoder, directory.string());
  for (const text::SpecialToken& special : tokenizer_->special_tokens()) {
    if (special.id == config_.image_token) image_text_ = special.text;
  }
  require(!image_text_.empty(), ErrorKind::invalid_data,
          "{}: token {}, which stands for a picture, is none of the tokenizer's special tokens: it belongs to another "
          "model",
          directory.string(), config_.image_token);
  end_tokens_ =
      read_end_tokens(directory, {json, ConfigReader(json, name_).child("text_config")}, config_.decoder.vocabulary);
}

void LlavaModel::load_weights(const std::filesystem::path& directory) {
  CheckpointWeights weights(directory);
  // Files from before and after transformers 4.52, which moved all but the output embedding under "model."; version 5 drops
  // "vision_model.".
  weights.map(
      "vision.",
      {"vision_tower.vision_model.", "vision_tower.", "model.vision_tower.vision_model.", "model.vision_tower."},
      vision_rules());
  weights.map("projector.", {"multi_modal_projector.", "model.multi_modal_projector."},
              {{"fc1", {"linear_1"}}, {"fc2", {"linear_2"}}});
  weights.map("decoder.", {"language_model.model.", "model.language_model."}, decoder_rules());
  weights.map("decoder.", {"language_model.", ""}, decoder_output_rules());
  weights.ignore("*.rotary_emb.inv_freq");
  weights.ignore("*.position_ids");
  weights.ignore("*vision_tower.*head.*");  // SigLIP's pooling, which nothing here asks
  if (config_.decoder.tied_embeddings) weights.ignore("*lm_head.weight");
  store_ = nn::ParameterStore(weights.source());
  vision_ = modality::VisionTransformer(store_, "vision", config_.vision);
  projector_ =
      nn::Mlp(store_, "projector", config_.vision.dim * static_cast<int64_t>(config_.vision_states.size()),
              config_.decoder.dim, config_.decoder.dim, 1.0f, config_.projector_activation, config_.projector_bias);
  add_parameters(weights, store_);
  decoder_ = Decoder(store_, "decoder", config_.decoder);
  weights.require_all_read();
}

std::unique_ptr<LlavaModel> LlavaModel::load(const std::filesystem::path& directory, DType compute) {
  std::unique_ptr<LlavaModel> model(new LlavaModel(directory, compute, "llava", read_config_json(directory)));
  model->load_weights(directory);
  return model;
}

Tensor LlavaModel::prepare(const media::Image& image) const {
  const int64_t size = config_.vision.image_size;
  const media::Image fitted = modality::fit_image(image, processor_);
  require(fitted.width == size && fitted.height == size, ErrorKind::invalid_data,
          "{}: the image processor makes {} x {} pixels, the vision tower takes {} x {}", name_, fitted.width,
          fitted.height, size, size);
  return modality::to_pixels(fitted, processor_).reshape({1, 3, size, size});
}

Tensor LlavaModel::read_picture(const media::Image& image) const {
  const NoGrad no_grad;
  const Tensor pixels_N3SS = prepare(image);
  const std::vector<Tensor> states = vision_.states(pixels_N3SS, config_.vision_states, compute_);
  // The rows that are kept, and the states side by side.
  const int64_t views = pixels_N3SS.dim(0), tokens = config_.vision.tokens(), kept = config_.view_tokens();
  std::vector<int32_t> rows;
  for (int64_t view = 0; view < views; ++view) {
    for (int64_t t = tokens - kept; t < tokens; ++t) rows.push_back(static_cast<int32_t>(view * tokens + t));
  }
  const Tensor rows_T = Tensor::from(rows, {views * kept});
  std::vector<Tensor> parts;
  for (const Tensor& state : states) parts.push_back(ops::gather_rows(state, rows_T));
  const Tensor features_TC = parts.size() == 1 ? parts[0] : join_columns(parts);
  return pack(projector_(features_TC), image.width, image.height);
}

Tensor LlavaModel::pack(const Tensor& views_TC, int64_t /*width*/, int64_t /*height*/) const { return views_TC; }

std::vector<int32_t> LlavaModel::write_tokens(std::span<const ChatMessage> messages,
                                              std::span<const int64_t> rows) const {
  const std::vector<int32_t> prompt =
      write_prompt(*tokenizer_, prompt_style(*tokenizer_, config_.decoder_type), messages, image_text_);
  std::vector<int32_t> tokens;
  size_t picture = 0;
  for (const int32_t id : prompt) {
    if (id != config_.image_token) {
      tokens.push_back(id);
      continue;
    }
    require(picture < rows.size(), ErrorKind::usage, "the text says {} itself, which stands for a picture",
            image_text_);
    tokens.insert(tokens.end(), static_cast<size_t>(rows[picture++]), id);
  }
  require(picture == rows.size(), ErrorKind::usage, "the prompt has places for {} pictures, {} were given", picture,
          rows.size());
  return tokens;
}

Tensor LlavaModel::embed(std::span<const int32_t> tokens, const Tensor& rows_RC) const {
  std::vector<int32_t> ids(tokens.begin(), tokens.end()), rows(tokens.size(), -1);
  int32_t next = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] != config_.image_token) continue;
    ids[i] = -1;
    rows[i] = next++;
  }
  const auto length = static_cast<int64_t>(ids.size());
  const int64_t given = rows_RC.defined() ? rows_RC.dim(0) : 0;
  require(next == given, ErrorKind::shape, "{} image tokens for {} rows of pictures", next, given);
  const Tensor text_TC = decoder_.embed(Tensor::from(ids, {length}), compute_);
  return given == 0 ? text_TC : ops::add(text_TC, ops::gather_rows(rows_RC, Tensor::from(rows, {length})));
}

std::unique_ptr<ChatSession> LlavaModel::start(std::span<const ChatMessage> messages) const {
  const NoGrad no_grad;
  std::vector<Tensor> pictures;
  std::vector<int64_t> rows;
  for (const ChatMessage& message : messages) {
    for (const ChatPart& part : message.parts) {
      if (!part.image) continue;
      pictures.push_back(*pictures_.get(part.image, [&](const media::Image& image) { return read_picture(image); }));
      rows.push_back(pictures.back().dim(0));
    }
  }
  const std::vector<int32_t> tokens = write_tokens(messages, rows);
  const auto length = static_cast<int64_t>(tokens.size()),
             image_tokens = std::accumulate(rows.begin(), rows.end(), int64_t{0});
  require(length < config_.decoder.context, ErrorKind::limit,
          "the prompt has {} tokens ({} of them for {} pictures), the model's context only {}: shorten the text or "
          "give fewer "
          "pictures",
          length, image_tokens, rows.size(), config_.decoder.context);
  auto session =
      std::make_unique<DecoderSession>(decoder_, *tokenizer_,
                                       DecoderSession::Options{.compute = compute_,
                                                               .cache = compute_,
                                                               .capacity = session_capacity(config_.decoder, length),
                                                               .end_tokens = end_tokens_});
  session->prefill(embed(tokens, pictures.empty() ? Tensor() : ops::concat_rows(pictures)));
  return session;
}

OrderedJson LlavaModel::describe() const {
  return {{"name", name_},
          {"family", family_},
          {"modalities_in", {"text", "image"}},
          {"modalities_out", {"text"}},
          {"image_encoder", describe_vision(config_.vision)},
          {"decoder_type", config_.decoder_type},
          {"decoder", describe_decoder(config_.decoder)},
          {"tokens_per_view", config_.view_tokens()},
          {"context_tokens", config_.decoder.context},
          {"prompt_style", prompt_style(*tokenizer_, config_.decoder_type).name}};
}

std::pair<double, int64_t> LlavaModel::text_nll(std::string_view text) const {
  return tokens_nll(decoder_, tokenizer_->encode(text, {.affixes = text::Affixes::model}), compute_);
}

std::vector<AnswerBox> LlavaModel::find_objects(const media::Image& /*image*/,
                                                std::span<const std::string> /*phrases*/) const {
  fail(ErrorKind::unsupported, "{}: a {} model answers questions; it has no detector", name_, family_);
}

std::vector<float> LlavaModel::classify(const media::Image& /*image*/, std::span<const std::string> /*labels*/) const {
  fail(ErrorKind::unsupported, "{}: a {} model answers questions; it has no classifier", name_, family_);
}

std::unique_ptr<Model> load_llava(const std::filesystem::path& directory, DType compute) {
  return LlavaModel::load(directory, compute);
}

}  // namespace sensorium::models
