#include "models/llava/model.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "models/adapter/lora.h"
#include "models/decoder/continuation.h"
#include "models/decoder/published.h"
#include "models/decoder/session.h"
#include "models/decoder/text_model.h"
#include "models/vision/published.h"
#include "text/image_prompt.h"

namespace sensorium::models {
namespace {

// Of a video: the contents of its frames in order.
Sha256Digest frames_digest(std::span<const std::shared_ptr<const media::Image>> frames) {
  Sha256 hash;
  for (const auto& frame : frames) hash.update(content_digest(*frame));
  return hash.digest();
}

// Of a picture read in one view: its rows are others than those of the same picture in tiles.
Sha256Digest whole_digest(const Sha256Digest& content) {
  Sha256 hash;
  hash.update("whole");
  hash.update(content);
  return hash.digest();
}

}  // namespace

LlavaModel::LlavaModel(const Checkpoint& checkpoint, DType compute, std::string family,
                       const modality::ImageProcessorConfig& processor_defaults)
    : name_(checkpoint.name()),
      family_(std::move(family)),
      compute_(compute),
      config_(LlavaConfig::read(checkpoint)),
      tokenizer_(checkpoint.tokenizer()),
      prompts_(checkpoint, *tokenizer_, config_.decoder_type, find_places(checkpoint)),
      end_tokens_(read_end_tokens(checkpoint, *tokenizer_, prompts_, config_.decoder)) {
  const modality::LocatedJson processor = checkpoint.image_processor();
  processor_ = modality::ImageProcessorConfig::from_json(processor.json, processor.where, processor_defaults);
}

// The original layout's prompts are cut where a picture stands; Hugging Face's have a token for it.
ChatPromptWriter::Pictures LlavaModel::find_places(const Checkpoint& checkpoint) const {
  using Place = ChatPromptWriter::Pictures::Place;
  if (config_.image_token == text::kImageId) {
    return {Place::cut, std::string(text::kImagePlaceholder),
            config_.reads_videos() ? std::string(text::kVideoPlaceholder) : ""};
  }
  for (const text::SpecialToken& special : tokenizer_->special_tokens()) {
    if (special.id != config_.image_token) continue;
    return {Place::token, special.text,
            config_.reads_videos() ? std::string(tokenizer_->token_bytes(config_.video_token)) : ""};
  }
  fail(ErrorKind::invalid_data,
       "{}: token {}, which stands for a picture, is none of the tokenizer's special tokens: it belongs to another "
       "model",
       checkpoint.path().string(), config_.image_token);
}

void LlavaModel::map_names(CheckpointWeights& weights) const {
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
  if (!config_.vision.post_norm) weights.ignore("vision_tower.vision_model.post_layernorm.*");
  if (config_.decoder.tied_embeddings) weights.ignore("*lm_head.weight");
  map_parameters(weights);
}

void LlavaModel::load_weights(const Checkpoint& checkpoint) {
  CheckpointWeights weights(checkpoint);
  map_names(weights);
  const int64_t features = config_.vision.dim * static_cast<int64_t>(config_.vision_states.size());
  store_ = weights.load(
      [&](nn::ParameterStore& store) {
        vision_ = modality::VisionTransformer(store, "vision", config_.vision);
        projector_ = nn::Mlp(store, "projector", features, config_.decoder.dim, config_.decoder.dim, 1.0f,
                             config_.projector_activation, config_.projector_bias);
        add_parameters(store);
        decoder_ = Decoder(store, "decoder", config_.decoder);
      },
      cache_bytes(config_.decoder, compute_));
  if (checkpoint.beside() != nullptr) attach_adapter(decoder_, *checkpoint.beside());
}

std::unique_ptr<LlavaModel> LlavaModel::load(const Checkpoint& checkpoint, DType compute) {
  std::unique_ptr<LlavaModel> model(new LlavaModel(checkpoint, compute, "llava"));
  model->load_weights(checkpoint);
  return model;
}

Tensor LlavaModel::prepare(const media::Image& image) const { return prepare_view(image, processor_); }

Tensor LlavaModel::prepare_view(const media::Image& image, const modality::ImageProcessorConfig& processor) const {
  const int64_t size = config_.vision.image_size;
  const media::Image fitted = modality::fit_image(image, processor);
  require(fitted.width == size && fitted.height == size, ErrorKind::invalid_data,
          "{}: the image processor makes {} x {} pixels, the vision tower takes {} x {}", name_, fitted.width,
          fitted.height, size, size);
  return modality::to_pixels(fitted, processor).reshape({1, 3, size, size});
}

Tensor LlavaModel::project(const Tensor& pixels_N3SS) const {
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
  return projector_(parts.size() == 1 ? parts[0] : ops::concat_columns(parts));
}

Tensor LlavaModel::read_views(const Tensor& pixels_N3SS, int64_t width, int64_t height) const {
  return pack(project(pixels_N3SS), width, height);
}

int64_t LlavaModel::picture_rows(int64_t views, int64_t /*width*/, int64_t /*height*/) const {
  return views * config_.view_tokens();
}

void LlavaModel::set_checkpointing(bool on) {
  vision_.set_checkpointing(on);
  decoder_.set_checkpointing(on);
}

Tensor LlavaModel::read_picture(const media::Image& image) const {
  const NoGrad no_grad;
  return pack(project(prepare(image)), image.width, image.height);
}

Tensor LlavaModel::read_whole_picture(const media::Image& image) const {
  const NoGrad no_grad;
  return pack(project(prepare_whole(image)), image.width, image.height);
}

Tensor LlavaModel::read_video(std::span<const std::shared_ptr<const media::Image>> /*frames*/) const {
  fail(ErrorKind::unsupported, "{}: a {} model reads no videos", name_, family_);
}

Tensor LlavaModel::pack(const Tensor& views_TC, int64_t /*width*/, int64_t /*height*/) const { return views_TC; }

std::vector<int32_t> LlavaModel::write_tokens(std::span<const ChatMessage> messages,
                                              std::span<const int64_t> picture_rows,
                                              std::span<const int64_t> video_rows) const {
  const std::vector<int32_t> prompt = prompts_.write(messages);
  const auto require_all = [&](int32_t token, const char* what, size_t given) {
    const auto places = static_cast<size_t>(std::count(prompt.begin(), prompt.end(), token));
    require(places == given, ErrorKind::usage, "the chat template ({}) writes {} {}, {} were given", prompts_.name(),
            places, what, given);
  };
  require_all(config_.image_token, "pictures", picture_rows.size());
  if (config_.reads_videos()) require_all(config_.video_token, "videos", video_rows.size());
  std::vector<int32_t> tokens;
  size_t picture = 0, video = 0;
  for (const int32_t id : prompt) {
    const int64_t count = id == config_.image_token   ? picture_rows[picture++]
                          : id == config_.video_token ? video_rows[video++]
                                                      : 1;
    tokens.insert(tokens.end(), static_cast<size_t>(count), id);
  }
  return tokens;
}

Tensor LlavaModel::embed(std::span<const int32_t> tokens, const Tensor& picture_rows_RC,
                         const Tensor& video_rows_RC) const {
  const auto rows_of = [](const Tensor& rows) { return rows.defined() ? static_cast<int32_t>(rows.dim(0)) : 0; };
  const int32_t pictures = rows_of(picture_rows_RC), videos = rows_of(video_rows_RC);
  std::vector<int32_t> ids(tokens.begin(), tokens.end()), rows(tokens.size(), -1);
  int32_t next_picture = 0, next_video = pictures;
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool picture = ids[i] == config_.image_token, video = ids[i] == config_.video_token;
    if (!picture && !video) continue;
    ids[i] = -1;
    rows[i] = picture ? next_picture++ : next_video++;
  }
  require(next_picture == pictures && next_video == pictures + videos, ErrorKind::shape,
          "{} image tokens and {} video tokens for {} rows of pictures and {} of videos", next_picture,
          next_video - pictures, pictures, videos);
  const auto length = static_cast<int64_t>(ids.size());
  const Tensor text_TC = decoder_.embed(Tensor::from(ids, {length}), compute_);
  if (pictures + videos == 0) return text_TC;
  std::vector<Tensor> parts;
  if (pictures > 0) parts.push_back(picture_rows_RC);
  if (videos > 0) parts.push_back(video_rows_RC);
  const Tensor rows_RC = parts.size() == 1 ? parts[0] : ops::concat_rows(parts);
  return ops::add(text_TC, ops::gather_rows(rows_RC, Tensor::from(rows, {length})));
}

DecoderSession::Options LlavaModel::session_options(int64_t prompt_tokens) const {
  return {.compute = compute_, .capacity = session_capacity(config_.decoder, prompt_tokens), .end_tokens = end_tokens_};
}

std::unique_ptr<ChatSession> LlavaModel::begin_tokens(std::span<const int32_t> ids) const {
  const std::array places = {config_.image_token, config_.video_token};
  return continue_tokens(decoder_, *tokenizer_, cache_.pool(decoder_, compute_),
                         session_options(static_cast<int64_t>(ids.size())), ids, places);
}

std::unique_ptr<ChatSession> LlavaModel::begin(std::span<const ChatMessage> messages) const {
  const NoGrad no_grad;
  std::vector<std::shared_ptr<const media::Image>> images;
  std::vector<Tensor> pictures, videos;
  std::vector<int64_t> picture_rows, video_rows;
  std::vector<Sha256Digest> picture_contents, video_contents;
  for (const ChatMessage& message : messages) {
    for (const ChatPart& part : message.parts) {
      if (part.image) images.push_back(part.image);
      if (part.frames.empty()) continue;
      videos.push_back(read_video(part.frames));
      video_rows.push_back(videos.back().dim(0));
      video_contents.push_back(frames_digest(part.frames));
    }
  }
  const bool whole = reads_whole(images.size());
  for (const auto& image : images) {
    const auto known = (whole ? whole_pictures_ : pictures_).get(image, [&](const media::Image& picture) {
      return whole ? read_whole_picture(picture) : read_picture(picture);
    });
    pictures.push_back(*known.value);
    picture_rows.push_back(pictures.back().dim(0));
    picture_contents.push_back(whole ? whole_digest(known.content) : known.content);
  }
  const std::vector<int32_t> tokens = write_tokens(messages, picture_rows, video_rows);
  const auto length = static_cast<int64_t>(tokens.size());
  require_room(length, picture_rows, video_rows);
  auto session =
      std::make_unique<DecoderSession>(decoder_, *tokenizer_, cache_.pool(decoder_, compute_), session_options(length));
  PromptRows prompt{embed(tokens, pictures.empty() ? Tensor() : ops::concat_rows(pictures),
                          videos.empty() ? Tensor() : ops::concat_rows(videos)),
                    tokens,
                    {}};
  size_t picture = 0, video = 0;
  for (int64_t at = 0; at < length;) {
    const int32_t token = tokens[static_cast<size_t>(at)];
    const bool of_picture = token == config_.image_token, of_video = !of_picture && token == config_.video_token;
    if (!of_picture && !of_video) {
      ++at;
      continue;
    }
    const int64_t rows = of_picture ? picture_rows[picture] : video_rows[video];
    prompt.pictures.push_back({at, at + rows, of_picture ? picture_contents[picture++] : video_contents[video++]});
    std::fill_n(prompt.tokens.begin() + at, rows, -1);
    at += rows;
  }
  session->set_prompt(std::move(prompt));
  return session;
}

void LlavaModel::require_room(int64_t length, std::span<const int64_t> picture_rows,
                              std::span<const int64_t> video_rows) const {
  const int64_t context = config_.decoder.context;
  if (length < context) return;
  std::string shares;
  for (const auto& [rows, what] : {std::pair(picture_rows, "pictures"), std::pair(video_rows, "videos")}) {
    if (rows.empty()) continue;
    shares += fmt::format(", of which {} {} take {} ({})", rows.size(), what,
                          std::accumulate(rows.begin(), rows.end(), int64_t{0}), fmt::join(rows, " + "));
  }
  fail(ErrorKind::limit,
       "the prompt has {} tokens{}, the model's context only {}: shorten the text or give fewer or smaller pictures",
       length, shares, context);
}

OrderedJson LlavaModel::describe() const {
  OrderedJson senses = {"text", "image"};
  if (config_.reads_videos()) senses.push_back("video");
  return {{"name", name_},
          {"family", family_},
          {"modalities_in", senses},
          {"modalities_out", {"text"}},
          {"image_encoder", describe_vision(config_.vision)},
          {"decoder_type", config_.decoder_type},
          {"decoder", describe_decoder(config_.decoder)},
          {"tokens_per_view", config_.view_tokens()},
          {"context_tokens", config_.decoder.context},
          {"chat_template", prompts_.name()}};
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

std::unique_ptr<Model> load_llava(const Checkpoint& checkpoint, DType compute) {
  return LlavaModel::load(checkpoint, compute);
}

}  // namespace sensorium::models
