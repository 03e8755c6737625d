// One prompt being answered by a Decoder: what the chat sessions of all families share.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/decoder/decoder.h"
#include "models/model.h"

namespace sensorium::models {

// `decoder` and `tokenizer` must outlive the session.
class DecoderSession : public ChatSession {
 public:
  struct Options {
    DType compute = DType::bf16;
    DType cache = DType::bf16;
    int64_t capacity = 0;             // tokens of prompt and answer; at most the decoder's context
    std::vector<int32_t> end_tokens;  // the first one ends the answers that score() is given
  };
  DecoderSession(const Decoder& decoder, const text::Tokenizer& tokenizer, Options options)
      : decoder_(decoder), tokenizer_(tokenizer), options_(std::move(options)) {}

  int64_t prompt_tokens() const override { return prompt_tokens_; }
  int64_t room() const override { return options_.capacity - cache_.length(0); }
  std::span<const float> logits() const override { return logits_.span<float>(); }
  void accept(int32_t token) override;
  bool is_end(int32_t token) const override;
  // The tokens as text, without spaces in front.
  ChatAnswer read(std::span<const int32_t> tokens) const override;
  // A model without an end token scores the tokens alone.
  std::vector<double> score(std::span<const std::string> answers) override;

  // Runs the embedded prompt [T, dim]; once, before everything else. Throws Error(limit) if it does not fit the capacity.
  void prefill(const Tensor& x_TC);

 protected:
  const text::Tokenizer& tokenizer() const { return tokenizer_; }

 private:
  void run(const Tensor& x_TC);

  const Decoder& decoder_;
  const text::Tokenizer& tokenizer_;
  Options options_;
  int64_t prompt_tokens_ = 0;
  nn::KvCache cache_;
  Tensor logits_;
};

double log_sum_exp(std::span<const float> values);

// Sum of the negative log-likelihoods (nats) of the tokens after the first, and how many. Long texts are read in windows of
// the context (at most 4096 tokens) that overlap by half, each token scored once.
std::pair<double, int64_t> tokens_nll(const Decoder& decoder, std::span<const int32_t> tokens, DType compute);

}  // namespace sensorium::models
