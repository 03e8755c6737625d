// Chat with a decoder alone: the Model of the text-only families.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/weights.h"
#include "models/decoder/cache.h"
#include "models/decoder/decoder.h"
#include "models/decoder/prompt.h"
#include "models/decoder/session.h"
#include "models/model.h"

namespace sensorium::models {

class TextModel : public Model {
 public:
  // Throws Error that names the file and what is missing, unexpected or of the wrong shape.
  TextModel(const Checkpoint& checkpoint, DType compute, const DecoderConfig& config);
  // Where the checkpoint's files have the parameters.
  static void map_names(CheckpointWeights& weights);

  const Decoder& decoder() const { return decoder_; }
  const ChatPromptWriter& prompts() const { return prompts_; }
  const std::vector<int32_t>& end_tokens() const { return end_tokens_; }
  DType compute() const { return compute_; }
  // For training.
  nn::ParameterStore& store() { return store_; }
  Decoder& decoder() { return decoder_; }

  std::unique_ptr<ChatSession> start(std::span<const ChatMessage> messages) const override {
    return with_prompt_read(begin(messages));
  }
  std::unique_ptr<ChatSession> begin(std::span<const ChatMessage> messages) const override;
  std::unique_ptr<ChatSession> begin_tokens(std::span<const int32_t> ids) const override;
  void configure_cache(const CacheOptions& options) override { cache_.configure(options); }
  const text::Tokenizer& tokenizer() const override { return *tokenizer_; }
  const nn::ParameterStore& store() const override { return store_; }
  OrderedJson describe() const override;
  std::pair<double, int64_t> text_nll(std::string_view text) const override;
  // These throw Error(unsupported).
  std::vector<AnswerBox> find_objects(const media::Image& image, std::span<const std::string> phrases) const override;
  std::vector<float> classify(const media::Image& image, std::span<const std::string> labels) const override;

 private:
  DecoderSession::Options session_options(int64_t prompt_tokens) const;

  std::string name_, type_;
  DType compute_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  ChatPromptWriter prompts_;
  std::vector<int32_t> end_tokens_;
  nn::ParameterStore store_;
  Decoder decoder_;
  mutable DecoderCache cache_;
};

// Loads a checkpoint whose configuration `read_config` understands. Throws Error that names the file and what is missing,
// unexpected or of the wrong shape.
std::unique_ptr<Model> load_text_model(const Checkpoint& checkpoint, DType compute,
                                       DecoderConfig (*read_config)(const Json& config, const std::string& where));

// For describe(): what people want to know of a decoder.
OrderedJson describe_decoder(const DecoderConfig& config);
// Tokens that a session holds: the context, but not more than an answer of 4096 tokens needs, since memory is taken for them.
int64_t session_capacity(const DecoderConfig& config, int64_t prompt_tokens);
// Bytes of the keys and values of such a session.
int64_t cache_bytes(const DecoderConfig& config, DType dtype);
// The tokens that end an answer: the checkpoint's, and the built-in template's. Throws Error(invalid_data) if the tokenizer
// is another model's: more tokens than the embedding has rows, fewer than half as many, or an end that is an ordinary token.
std::vector<int32_t> read_end_tokens(const Checkpoint& checkpoint, const text::Tokenizer& tokenizer,
                                     const ChatPromptWriter& prompts, const DecoderConfig& config);

}  // namespace sensorium::models
