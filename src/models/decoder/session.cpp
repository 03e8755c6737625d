#include "models/decoder/session.h"

#include <algorithm>
#include <cmath>

namespace sensorium::models {

double log_sum_exp(std::span<const float> values) {
  const float most = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (const float value : values) sum += std::exp(static_cast<double>(value - most));
  return most + std::log(sum);
}

void DecoderSession::prefill(const Tensor& x_TC) {
  const NoGrad no_grad;
  prompt_tokens_ = x_TC.dim(0);
  require(prompt_tokens_ > 0, ErrorKind::usage, "the prompt is empty");
  require(prompt_tokens_ < options_.capacity, ErrorKind::limit,
          "the prompt has {} tokens, the model's context only {}: shorten the text or give fewer pictures",
          prompt_tokens_, options_.capacity);
  cache_ = nn::KvCache(decoder_.cache_config(options_.capacity, 1, options_.cache));
  run(x_TC);
}

void DecoderSession::accept(int32_t token) {
  const NoGrad no_grad;
  require(room() > 0, ErrorKind::limit, "the context of {} tokens is full", options_.capacity);
  run(decoder_.embed(Tensor::from(std::vector<int32_t>{token}, {1}), options_.compute));
}

bool DecoderSession::is_end(int32_t token) const {
  return std::find(options_.end_tokens.begin(), options_.end_tokens.end(), token) != options_.end_tokens.end();
}

ChatAnswer DecoderSession::read(std::span<const int32_t> tokens) const {
  ChatAnswer answer{.text = tokenizer_.decode(tokens), .boxes = {}};
  const auto first = answer.text.find_first_not_of(' ');
  answer.text.erase(0, first == std::string::npos ? answer.text.size() : first);
  return answer;
}

std::vector<double> DecoderSession::score(std::span<const std::string> answers) {
  const NoGrad no_grad;
  const int64_t start = cache_.length(0);
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
      const Tensor all = decoder_.logits(decoder_.cached(x, sequence, cache_));
      for (int64_t i = 0; i < steps; ++i) {
        const std::span<const float> row =
            all.span<float>().subspan(static_cast<size_t>(i * all.dim(1)), static_cast<size_t>(all.dim(1)));
        score += row[static_cast<size_t>(tokens[static_cast<size_t>(i) + 1])] - log_sum_exp(row);
      }
      cache_.truncate(0, start);
    }
    scores.push_back(score);
  }
  return scores;
}

void DecoderSession::run(const Tensor& x_TC) {
  const Tensor hidden_TC = decoder_.cached(x_TC, ops::Sequences{{0, static_cast<int32_t>(x_TC.dim(0))}}, cache_);
  logits_ = decoder_.logits(hidden_TC.slice(hidden_TC.dim(0) - 1, hidden_TC.dim(0)));
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
