#include "models/decoder/session.h"

#include <algorithm>
#include <cmath>

namespace sensorium::models {
namespace {

// Rows of one pass of a prompt: enough for the products to run at full speed, few enough that a long prompt's activations
// stay small.
constexpr int64_t kMostRows = 512;
// Rows that are computed even if the pool has the whole prompt: the last one's logits are needed, and fewer rows than this would
// take the kernels of single steps, whose sums have another order.
constexpr int64_t kLeastRows = 16;
constexpr int64_t kBlockRows = nn::KvLayout::kBlockTokens, kPartRows = nn::KvLayout::kKeyTokens;

class DecodedStream : public AnswerStream {
 public:
  explicit DecodedStream(const text::Tokenizer& tokenizer) : decoder_(tokenizer) {}
  std::string push(int32_t token) override { return trim_(decoder_.push(token)); }
  std::string finish() override { return trim_(decoder_.finish()); }

 private:
  text::StreamDecoder decoder_;
  TrimStart trim_;
};

// Tokens behind others of the same text: none is its first, whose spaces an encoder may have made.
class ContinuedStream : public AnswerStream {
 public:
  explicit ContinuedStream(const text::Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  std::string push(int32_t token) override {
    return tokenizer_.is_control(token) ? std::string() : utf8_.push(tokenizer_.token_bytes(token));
  }
  std::string finish() override { return utf8_.finish(); }

 private:
  const text::Tokenizer& tokenizer_;
  Utf8Stream utf8_;
};

}  // namespace

std::string TrimStart::operator()(std::string piece) {
  if (begun_) return piece;
  const size_t first = piece.find_first_not_of(' ');
  begun_ = first != std::string::npos;
  return begun_ ? piece.substr(first) : std::string();
}

double log_sum_exp(std::span<const float> values) {
  const float most = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (const float value : values) sum += std::exp(static_cast<double>(value - most));
  return most + std::log(sum);
}

std::unique_ptr<ChatSession> with_prompt_read(std::unique_ptr<ChatSession> session) {
  while (!session->read_prompt(kMostRows)) {
  }
  return session;
}

void DecoderSession::set_prompt(PromptRows prompt) {
  const int64_t length = prompt.x_TC.dim(0);
  require(length > 0, ErrorKind::usage, "the prompt is empty");
  require(length == static_cast<int64_t>(prompt.tokens.size()), ErrorKind::shape, "{} rows for {} tokens", length,
          prompt.tokens.size());
  require(length < options_.capacity, ErrorKind::limit,
          "the prompt has {} tokens, the model's context only {}: shorten the text or give fewer pictures", length,
          options_.capacity);
  prompt_ids_ = prompt.tokens;
  cache_ = nn::KvCache(pool_, options_.capacity);
  keys_ = prompt_keys(prompt);
  if (prompt.media_SC.defined())
    media_ = std::make_shared<const CrossContext>(decoder_.read_media(prompt.media_SC, std::move(prompt.media)));
  unread_ = std::move(prompt);
}

// Takes the rows behind those of the session that the pool has, but for the last: their logits are needed.
void DecoderSession::adopt_kept(int64_t prompt_rows) {
  while (cache_.length() == static_cast<int64_t>(kept_) * kBlockRows) {
    const int64_t begin = cache_.length();
    int64_t rows = std::min(kBlockRows, (prompt_rows - kLeastRows - begin) / kPartRows * kPartRows);
    std::shared_ptr<nn::KvBlock> block;
    for (; rows > 0; rows -= kPartRows) {
      block = pool_->find(keys_[static_cast<size_t>((begin + rows) / kPartRows) - 1]);
      if (block) break;
    }
    if (!block) return;
    cache_.adopt(std::move(block), rows);
    reused_rows_ += rows;
    if (rows == kBlockRows) ++kept_;
  }
}

// Gives the pool the blocks that are full, and at the prompt's end the last one: the answer goes into a copy of it.
void DecoderSession::keep_read(int64_t prompt_rows) {
  const int64_t read = cache_.length();
  const std::span<const nn::KvKey> keys(keys_);
  for (int64_t begin = static_cast<int64_t>(kept_) * kBlockRows; begin < read; begin += kBlockRows) {
    const int64_t rows = std::min(read - begin, kBlockRows);
    if (rows < kBlockRows && read < prompt_rows) return;
    pool_->keep(keys.subspan(static_cast<size_t>(begin / kPartRows), static_cast<size_t>(rows / kPartRows)),
                cache_.blocks()[static_cast<size_t>(begin / kBlockRows)]);
    if (rows == kBlockRows) ++kept_;
  }
}

bool DecoderSession::read_prompt(int64_t most_rows) {
  if (!unread_.x_TC.defined()) return true;
  const NoGrad no_grad;
  const int64_t length = unread_.x_TC.dim(0);
  // At every part anew: another session may have read the same meanwhile.
  adopt_kept(length);
  // In passes of nearly equal length, so that the last is no small one.
  const int64_t begin = cache_.length(), rest = length - begin, most = std::max(most_rows, kLeastRows);
  const int64_t passes = (rest + most - 1) / most, even = (rest + passes - 1) / passes;
  int64_t rows = std::min((even + kLeastRows - 1) / kLeastRows * kLeastRows, rest);
  if (rest - rows < kLeastRows) rows = rest;
  nn::KvCache* const cache = &cache_;
  const CrossContext* const media = media_.get();
  const Tensor hidden_TC = decoder_.cached(unread_.x_TC.slice(begin, begin + rows), {{0, static_cast<int32_t>(rows)}},
                                           {&cache, 1}, {&media, 1});
  keep_read(length);
  if (begin + rows < length) return false;
  logits_ = decoder_.logits(hidden_TC.slice(rows - 1, rows));
  unread_ = {};
  keys_ = {};
  return true;
}

void DecoderSession::accept(int32_t token) {
  ChatSession* const session = this;
  accept_all({&session, 1}, {&token, 1});
}

void DecoderSession::accept_all(std::span<ChatSession* const> sessions, std::span<const int32_t> tokens) {
  const NoGrad no_grad;
  std::vector<DecoderSession*> all;
  std::vector<nn::KvCache*> caches;
  std::vector<const CrossContext*> media;
  ops::Sequences rows{{0}};
  for (ChatSession* const session : sessions) {
    auto* const one = dynamic_cast<DecoderSession*>(session);
    require(one != nullptr && &one->decoder_ == &decoder_, ErrorKind::usage, "the sessions are of different models");
    require(one->room() > 0, ErrorKind::limit, "the context of {} tokens is full", one->options_.capacity);
    all.push_back(one);
    caches.push_back(&one->cache_);
    media.push_back(one->media_.get());
    rows.offsets.push_back(static_cast<int32_t>(all.size()));
  }
  const auto count = static_cast<int64_t>(all.size());
  const Tensor x_TC = decoder_.embed(Tensor::from(tokens, {count}), options_.compute);
  const Tensor logits_TV = decoder_.logits(decoder_.cached(x_TC, rows, caches, media));
  for (int64_t i = 0; i < count; ++i) {
    all[static_cast<size_t>(i)]->logits_ = logits_TV.slice(i, i + 1);
    all[static_cast<size_t>(i)]->accepted(tokens[static_cast<size_t>(i)]);
  }
}

bool DecoderSession::is_end(int32_t token) const {
  return std::find(options_.end_tokens.begin(), options_.end_tokens.end(), token) != options_.end_tokens.end();
}

ChatAnswer DecoderSession::read(std::span<const int32_t> tokens) const {
  if (options_.form == Form::continuation) {
    ContinuedStream stream(tokenizer_);
    std::string text;
    for (const int32_t token : tokens) text += stream.push(token);
    return {.text = text + stream.finish(), .boxes = {}};
  }
  ChatAnswer answer{.text = tokenizer_.decode(tokens), .boxes = {}};
  const auto first = answer.text.find_first_not_of(' ');
  answer.text.erase(0, first == std::string::npos ? answer.text.size() : first);
  return answer;
}

std::unique_ptr<AnswerStream> DecoderSession::stream() const {
  if (options_.form == Form::continuation) return std::make_unique<ContinuedStream>(tokenizer_);
  return std::make_unique<DecodedStream>(tokenizer_);
}

std::vector<double> DecoderSession::score(std::span<const std::string> answers) {
  const NoGrad no_grad;
  const int64_t start = cache_.length();
  std::vector<double> scores;
  for (const std::string& answer : answers) {
    std::vector<int32_t> tokens = tokenizer_.encode(answer);
    if (!options_.end_tokens.empty()) tokens.push_back(options_.end_tokens.front());
    require(!tokens.empty(), ErrorKind::usage, "an empty answer cannot be scored");
    double score = logits()[static_cast<size_t>(tokens[0])] - log_sum_exp(logits());
    if (tokens.size() > 1) {
      const auto steps = static_cast<int64_t>(tokens.size()) - 1;
      require(room() >= steps, ErrorKind::limit, "the answers to score do not fit the context");
      const std::vector<int32_t> inputs(tokens.begin(), tokens.end() - 1);
      const Tensor x = decoder_.embed(Tensor::from(inputs, {steps}), options_.compute);
      const ops::Sequences sequence{{0, static_cast<int32_t>(steps)}};
      nn::KvCache* const cache = &cache_;
      const CrossContext* const media = media_.get();
      const Tensor all = decoder_.logits(decoder_.cached(x, sequence, {&cache, 1}, {&media, 1}));
      for (int64_t i = 0; i < steps; ++i) {
        const std::span<const float> row =
            all.span<float>().subspan(static_cast<size_t>(i * all.dim(1)), static_cast<size_t>(all.dim(1)));
        score += row[static_cast<size_t>(tokens[static_cast<size_t>(i) + 1])] - log_sum_exp(row);
      }
      cache_.truncate(start);
    }
    scores.push_back(score);
  }
  return scores;
}

namespace {

// The negative log-likelihood of each target (-1: 0), f32 [T]; the logits of a block of rows at a time.
Tensor losses_of_blocks(const Decoder& decoder, const Tensor& hidden_TC, const std::vector<int32_t>& targets) {
  constexpr int64_t kBlock = 64;
  const int64_t rows = hidden_TC.dim(0);
  const Tensor losses = Tensor::zeros({rows});
  for (int64_t first = 0; first < rows; first += kBlock) {
    const Tensor logits = decoder.logits(hidden_TC.slice(first, std::min(rows, first + kBlock)));
    const auto width = static_cast<size_t>(logits.dim(1));
    for (int64_t i = 0; i < logits.dim(0); ++i) {
      const int32_t target = targets[static_cast<size_t>(first + i)];
      if (target < 0) continue;
      const std::span<const float> row = logits.span<float>().subspan(static_cast<size_t>(i) * width, width);
      losses.data<float>()[first + i] = static_cast<float>(log_sum_exp(row)) - row[static_cast<size_t>(target)];
    }
  }
  return losses;
}

}  // namespace

std::pair<double, int64_t> tokens_nll(const Decoder& decoder, std::span<const int32_t> tokens, DType compute) {
  const NoGrad no_grad;
  constexpr int64_t kMostTokens = 4096;
  const int64_t context = std::min(decoder.config().context, kMostTokens), total = static_cast<int64_t>(tokens.size());
  const Tensor& stored = decoder.output_embedding();
  const Tensor output = stored.defined() && stored.dtype() == DType::f16 ? stored.to(DType::f32) : stored;
  double sum = 0;
  int64_t counted = 0;
  for (int64_t begin = 0, scored = 1; scored < total; begin += context / 2) {
    const int64_t end = std::min(begin + context, total);
    const std::vector<int32_t> window(tokens.begin() + begin, tokens.begin() + end);
    const auto length = static_cast<int64_t>(window.size());
    std::vector<int32_t> targets(window.begin() + 1, window.end());
    targets.push_back(-1);
    for (int64_t i = 0; begin + i + 1 < scored; ++i) targets[static_cast<size_t>(i)] = -1;
    const Tensor hidden = decoder(decoder.embed(Tensor::from(window, {length}), compute),
                                  ops::Sequences{{0, static_cast<int32_t>(length)}});
    Tensor losses;
    if (output.defined()) {
      ops::linear_cross_entropy(hidden, output, Tensor::from(targets, {length}), {}, 1, &losses);
    } else {
      losses = losses_of_blocks(decoder, hidden, targets);
    }
    for (int64_t i = 0; i < length; ++i) {
      if (targets[static_cast<size_t>(i)] < 0) continue;
      sum += losses.data<float>()[i];
      ++counted;
    }
    scored = end;
  }
  return {sum, counted};
}

}  // namespace sensorium::models
