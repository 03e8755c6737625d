// One prompt being answered by a Decoder: what the chat sessions of all families share.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/decoder/cache.h"
#include "models/decoder/decoder.h"
#include "models/decoder/prompt_rows.h"
#include "models/model.h"

namespace sensorium::models {

// Drops the spaces in front of a text that comes in pieces.
class TrimStart {
 public:
  std::string operator()(std::string piece);

 private:
  bool begun_ = false;
};

// `decoder` and `tokenizer` must outlive the session.
class DecoderSession : public ChatSession {
 public:
  // What the answer's tokens are: a turn, a text by itself; or more of the prompt's text, with the spaces between.
  enum class Form : uint8_t { turn, continuation };
  struct Options {
    DType compute = DType::bf16;
    int64_t capacity = 0;             // tokens of prompt and answer; at most the decoder's context
    std::vector<int32_t> end_tokens;  // the first one ends the answers that score() is given
    Form form = Form::turn;
  };
  DecoderSession(const Decoder& decoder, const text::Tokenizer& tokenizer, std::shared_ptr<nn::KvPool> pool,
                 Options options)
      : decoder_(decoder), tokenizer_(tokenizer), options_(std::move(options)), pool_(std::move(pool)) {}

  int64_t prompt_tokens() const override { return static_cast<int64_t>(prompt_ids_.size()); }
  std::span<const int32_t> prompt_ids() const override { return prompt_ids_; }
  int64_t room() const override { return options_.capacity - cache_.length(); }
  std::span<const float> logits() const override { return logits_.span<float>(); }
  void accept(int32_t token) override;
  // All sessions must be of the same decoder.
  void accept_all(std::span<ChatSession* const> sessions, std::span<const int32_t> tokens) override;
  std::unique_ptr<ChatSession> fork() const override { return std::make_unique<DecoderSession>(*this); }
  bool is_end(int32_t token) const override;
  // The tokens as text; of a turn without spaces in front.
  ChatAnswer read(std::span<const int32_t> tokens) const override;
  std::unique_ptr<AnswerStream> stream() const override;
  // A model without an end token scores the tokens alone.
  std::vector<double> score(std::span<const std::string> answers) override;

  DType compute() const { return options_.compute; }
  // Takes the prompt, which read_prompt() runs; once, before everything else. Throws Error(limit) if it does not fit the capacity.
  void set_prompt(PromptRows prompt);
  // What the pool has of another prompt with the same beginning is not computed again, and this one's is kept: the logits are the
  // same bits either way, and whatever the lengths of the parts.
  bool read_prompt(int64_t most_rows) override;
  // Rows of the prompt that did not have to be computed.
  int64_t reused_tokens() const override { return reused_rows_; }

 protected:
  const text::Tokenizer& tokenizer() const { return tokenizer_; }
  // After a token was appended.
  virtual void accepted(int32_t /*token*/) {}

 private:
  void adopt_kept(int64_t prompt_rows);
  void keep_read(int64_t prompt_rows);

  const Decoder& decoder_;
  const text::Tokenizer& tokenizer_;
  Options options_;
  std::shared_ptr<nn::KvPool> pool_;
  std::vector<int32_t> prompt_ids_;
  PromptRows unread_;            // the prompt, until it has been read
  std::vector<nn::KvKey> keys_;  // of its beginnings
  size_t kept_ = 0;              // blocks that the pool has whole
  int64_t reused_rows_ = 0;
  nn::KvCache cache_;
  std::shared_ptr<const CrossContext> media_;  // none: the prompt has none, or the decoder reads none
  Tensor logits_;
};

// A session of Model::begin(), its prompt read to the end.
std::unique_ptr<ChatSession> with_prompt_read(std::unique_ptr<ChatSession> session);

double log_sum_exp(std::span<const float> values);

// Sum of the negative log-likelihoods (nats) of the tokens after the first, and how many. Long texts are read in windows of
// the context (at most 4096 tokens) that overlap by half, each token scored once.
std::pair<double, int64_t> tokens_nll(const Decoder& decoder, std::span<const int32_t> tokens, DType compute);

}  // namespace sensorium::models
