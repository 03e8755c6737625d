#include "models/decoder/text_model.h"

#include <algorithm>

#include "models/adapter/lora.h"
#include "models/checkpoint/weights.h"
#include "models/decoder/continuation.h"
#include "models/decoder/prompt.h"
#include "models/decoder/published.h"
#include "models/decoder/session.h"

namespace sensorium::models {
namespace {

constexpr int64_t kLongestAnswer = 4096;

}  // namespace

TextModel::TextModel(const Checkpoint& checkpoint, DType compute, const DecoderConfig& config)
    : name_(checkpoint.name()),
      type_(checkpoint.config().at("model_type").get<std::string>()),
      compute_(compute),
      tokenizer_(checkpoint.tokenizer()),
      prompts_(checkpoint, *tokenizer_, type_, {}),
      end_tokens_(read_end_tokens(checkpoint, *tokenizer_, prompts_, config)) {
  CheckpointWeights weights(checkpoint);
  map_names(weights);
  if (config.tied_embeddings) weights.ignore("lm_head.weight");
  store_ = weights.load([&](nn::ParameterStore& store) { decoder_ = Decoder(store, "decoder", config); },
                        cache_bytes(config, compute));
  if (checkpoint.beside() != nullptr) attach_adapter(decoder_, *checkpoint.beside());
}

void TextModel::map_names(CheckpointWeights& weights) {
  weights.map("decoder.", {"model."}, decoder_rules());
  weights.map("decoder.", {""}, decoder_output_rules());
  weights.ignore("*.rotary_emb.inv_freq");
}

DecoderSession::Options TextModel::session_options(int64_t prompt_tokens) const {
  return {
      .compute = compute_, .capacity = session_capacity(decoder_.config(), prompt_tokens), .end_tokens = end_tokens_};
}

std::unique_ptr<ChatSession> TextModel::begin(std::span<const ChatMessage> messages) const {
  const NoGrad no_grad;
  const std::vector<int32_t> prompt = prompts_.write(messages);
  const auto length = static_cast<int64_t>(prompt.size());
  auto session =
      std::make_unique<DecoderSession>(decoder_, *tokenizer_, cache_.pool(decoder_, compute_), session_options(length));
  session->set_prompt({decoder_.embed(Tensor::from(prompt, {length}), compute_), prompt, {}});
  return session;
}

std::unique_ptr<ChatSession> TextModel::begin_tokens(std::span<const int32_t> ids) const {
  return continue_tokens(decoder_, *tokenizer_, cache_.pool(decoder_, compute_),
                         session_options(static_cast<int64_t>(ids.size())), ids);
}

OrderedJson TextModel::describe() const {
  return {{"name", name_},
          {"family", type_},
          {"modalities_in", {"text"}},
          {"modalities_out", {"text"}},
          {"decoder", describe_decoder(decoder_.config())},
          {"context_tokens", decoder_.config().context},
          {"chat_template", prompts_.name()}};
}

std::vector<AnswerBox> TextModel::find_objects(const media::Image& /*image*/,
                                               std::span<const std::string> /*phrases*/) const {
  fail(ErrorKind::unsupported, "{}: a {} model reads text only; it finds no objects in pictures", name_, type_);
}

std::vector<float> TextModel::classify(const media::Image& /*image*/, std::span<const std::string> /*labels*/) const {
  fail(ErrorKind::unsupported, "{}: a {} model reads text only; it classifies no pictures", name_, type_);
}

std::pair<double, int64_t> TextModel::text_nll(std::string_view text) const {
  return tokens_nll(decoder_, tokenizer_->encode(text, {.affixes = text::Affixes::model}), compute_);
}

std::unique_ptr<Model> load_text_model(const Checkpoint& checkpoint, DType compute,
                                       DecoderConfig (*read_config)(const Json& config, const std::string& where)) {
  return std::make_unique<TextModel>(checkpoint, compute, read_config(checkpoint.config(), checkpoint.where()));
}

OrderedJson describe_decoder(const DecoderConfig& config) {
  return {{"vocabulary", config.vocabulary}, {"context", config.context},     {"dim", config.dim},
          {"layers", config.layers},         {"heads", config.heads},         {"kv_heads", config.kv_heads},
          {"head_dim", config.head_dim},     {"mlp_width", config.mlp_width}, {"rope_theta", config.rope_theta}};
}

int64_t session_capacity(const DecoderConfig& config, int64_t prompt_tokens) {
  return std::min(config.context, prompt_tokens + kLongestAnswer);
}

int64_t cache_bytes(const DecoderConfig& config, DType dtype) {
  return 2 * config.layers * config.kv_heads * config.head_dim * session_capacity(config, 0) *
         static_cast<int64_t>(size_of(dtype));
}

std::vector<int32_t> read_end_tokens(const Checkpoint& checkpoint, const text::Tokenizer& tokenizer,
                                     const ChatPromptWriter& prompts, const DecoderConfig& config) {
  const std::string where = checkpoint.path().string();
  const int64_t tokens = tokenizer.vocab_size();
  require(tokens <= config.vocabulary, ErrorKind::invalid_data,
          "{}: the tokenizer has {} tokens, the model's embedding only {} rows: it belongs to another model", where,
          tokens, config.vocabulary);
  // Embeddings are padded, but not by half.
  require(2 * tokens > config.vocabulary, ErrorKind::invalid_data,
          "{}: the tokenizer has only {} tokens for {} rows of the model's embedding: it belongs to another model",
          where, tokens, config.vocabulary);
  std::vector<int32_t> ends = checkpoint.end_tokens(config.vocabulary);
  for (const int32_t id : ends) {
    const bool special = std::any_of(tokenizer.special_tokens().begin(), tokenizer.special_tokens().end(),
                                     [&](const text::SpecialToken& token) { return token.id == id; });
    require(
        special, ErrorKind::invalid_data,
        "{}: the model ends its answers with token {}, which is the ordinary \"{}\" for the tokenizer: it belongs to "
        "another model",
        where, id, tokenizer.token_bytes(id));
  }
  if (const auto end = prompts.end_token(); end && std::find(ends.begin(), ends.end(), *end) == ends.end()) {
    ends.push_back(*end);
  }
  return ends;
}

}  // namespace sensorium::models
