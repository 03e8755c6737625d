#include "models/decoder/text_model.h"

#include <algorithm>

#include "models/checkpoint/folder.h"
#include "models/checkpoint/weights.h"
#include "models/decoder/prompt.h"
#include "models/decoder/published.h"
#include "models/decoder/session.h"

namespace sensorium::models {
namespace {

constexpr int64_t kLongestAnswer = 4096;

class TextModel : public Model {
 public:
  TextModel(const std::filesystem::path& directory, DType compute, const Json& json, const DecoderConfig& config)
      : name_(folder_name(directory)),
        type_(json.at("model_type").get<std::string>()),
        compute_(compute),
        tokenizer_(read_folder_tokenizer(directory)),
        end_tokens_(read_end_tokens(directory, {json}, config.vocabulary)) {
    check_vocabulary(*tokenizer_, config, directory.string());
    CheckpointWeights weights(directory);
    weights.map("decoder.", {"model."}, decoder_rules());
    weights.map("decoder.", {""}, decoder_output_rules());
    weights.ignore("*.rotary_emb.inv_freq");
    if (config.tied_embeddings) weights.ignore("lm_head.weight");
    store_ = nn::ParameterStore(weights.source());
    decoder_ = Decoder(store_, "decoder", config);
    weights.require_all_read();
  }

  std::unique_ptr<ChatSession> start(std::span<const ChatMessage> messages) const override {
    const NoGrad no_grad;
    const std::vector<int32_t> prompt = write_prompt(*tokenizer_, prompt_style(*tokenizer_, type_), messages);
    const auto length = static_cast<int64_t>(prompt.size());
    auto session = std::make_unique<DecoderSession>(
        decoder_, *tokenizer_,
        DecoderSession::Options{.compute = compute_,
                                .cache = compute_,
                                .capacity = session_capacity(decoder_.config(), length),
                                .end_tokens = end_tokens_});
    session->prefill(decoder_.embed(Tensor::from(prompt, {length}), compute_));
    return session;
  }

  const text::Tokenizer& tokenizer() const override { return *tokenizer_; }
  const nn::ParameterStore& store() const override { return store_; }

  OrderedJson describe() const override {
    return {{"name", name_},
            {"family", type_},
            {"modalities_in", {"text"}},
            {"modalities_out", {"text"}},
            {"decoder", describe_decoder(decoder_.config())},
            {"context_tokens", decoder_.config().context},
            {"prompt_style", prompt_style(*tokenizer_, type_).name}};
  }

  std::vector<AnswerBox> find_objects(const media::Image& /*image*/,
                                      std::span<const std::string> /*phrases*/) const override {
    fail(ErrorKind::unsupported, "{}: a {} model reads text only; it finds no objects in pictures", name_, type_);
  }
  std::vector<float> classify(const media::Image& /*image*/, std::span<const std::string> /*labels*/) const override {
    fail(ErrorKind::unsupported, "{}: a {} model reads text only; it classifies no pictures", name_, type_);
  }

  std::pair<double, int64_t> text_nll(std::string_view text) const override {
    return tokens_nll(decoder_, tokenizer_->encode(text, {.affixes = text::Affixes::model}), compute_);
  }

 private:
  std::string name_, type_;
  DType compute_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::vector<int32_t> end_tokens_;
  nn::ParameterStore store_;
  Decoder decoder_;
};

}  // namespace

std::unique_ptr<Model> load_text_model(const std::filesystem::path& directory, DType compute,
                                       DecoderConfig (*read_config)(const Json& config, const std::string& where)) {
  const Json json = read_config_json(directory);
  return std::make_unique<TextModel>(directory, compute, json, read_config(json, (directory / "config.json").string()));
}

OrderedJson describe_decoder(const DecoderConfig& config) {
  return {{"vocabulary", config.vocabulary}, {"context", config.context},     {"dim", config.dim},
          {"layers", config.layers},         {"heads", config.heads},         {"kv_heads", config.kv_heads},
          {"head_dim", config.head_dim},     {"mlp_width", config.mlp_width}, {"rope_theta", config.rope_theta}};
}

int64_t session_capacity(const DecoderConfig& config, int64_t prompt_tokens) {
  return std::min(config.context, prompt_tokens + kLongestAnswer);
}

void check_vocabulary(const text::Tokenizer& tokenizer, const DecoderConfig& config, const std::string& where) {
  require(tokenizer.vocab_size() <= config.vocabulary, ErrorKind::invalid_data,
          "{}: the tokenizer has {} tokens, the model's embedding only {} rows: it belongs to another model", where,
          tokenizer.vocab_size(), config.vocabulary);
}

}  // namespace sensorium::models
