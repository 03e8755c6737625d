// Time to find the tokens that a grammar allows, per step of an answer, as JSON on stdout: the first time in a state, and again.
// The vocabulary is random, with the sizes and lengths of published ones.
// Usage: grammar_bench [TOKENS]     151,936 without an argument
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/rng.h"
#include "text/grammar/constraint.h"
#include "text/grammar/json_schema.h"

namespace sensorium::text {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kSchema = R"({"type":"object","properties":{
  "title":{"type":"string","maxLength":80},
  "objects":{"type":"array","maxItems":20,"items":{"properties":{"label":{"type":"string"},"score":{"type":"number","minimum":0,"maximum":1},
    "box":{"type":"array","items":{"type":"integer","minimum":0,"maximum":4096},"minItems":4,"maxItems":4}},"required":["label","box"]}},
  "kind":{"enum":["photo","drawing","scan"]}},"required":["title","objects","kind"]})";

// Every byte, and words of 2 to 14 letters, half of them behind a space, some behind punctuation.
class RandomVocabulary : public Tokenizer {
 public:
  explicit RandomVocabulary(int32_t size) {
    Rng rng(1);
    for (int byte = 0; byte < 256; ++byte) tokens_.emplace_back(1, static_cast<char>(byte));
    constexpr std::string_view kLetters = "eeeetttaaaooiinnsshhrrddlluucmfwygpbvkEATNS01235";
    constexpr std::string_view kSigns = "\"{}[]:,.-_/\n";
    while (static_cast<int32_t>(tokens_.size()) < size) {
      std::string token = rng.chance(0.5) ? " " : rng.chance(0.1) ? std::string(1, rng.pick(kSigns)) : "";
      for (int64_t letters = rng.integer(2, 8) + (rng.chance(0.2) ? 6 : 0); letters > 0; --letters) {
        token += rng.pick(kLetters);
      }
      if (rng.chance(0.03)) token += rng.pick(kSigns);
      tokens_.push_back(std::move(token));
    }
  }
  std::vector<int32_t> encode(std::string_view, const EncodeOptions&) const override { return {}; }
  std::string decode(std::span<const int32_t>, DecodeSpecials) const override { return {}; }
  std::string_view token_bytes(int32_t id) const override { return tokens_[static_cast<size_t>(id)]; }
  LeadingSpaces leading_spaces() const override { return {}; }
  int32_t vocab_size() const override { return static_cast<int32_t>(tokens_.size()); }
  std::optional<int32_t> token_id(std::string_view) const override { return std::nullopt; }
  const std::vector<SpecialToken>& special_tokens() const override { return none_; }
  bool is_control(int32_t) const override { return false; }

 private:
  std::vector<std::string> tokens_;
  std::vector<SpecialToken> none_;
};

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Json summary(std::vector<double> ms) {
  std::sort(ms.begin(), ms.end());
  const auto at = [&](double q) { return ms[static_cast<size_t>(q * static_cast<double>(ms.size() - 1))]; };
  double sum = 0;
  for (const double one : ms) sum += one;
  return {{"mean_ms", sum / static_cast<double>(ms.size())},
          {"median_ms", at(0.5)},
          {"p90_ms", at(0.9)},
          {"max_ms", at(1)}};
}

void run(int32_t size) {
  const RandomVocabulary vocabulary(size);
  Clock::time_point start = Clock::now();
  const auto trie = std::make_shared<const grammar::TokenTrie>(vocabulary);
  const double trie_ms = ms_since(start);
  start = Clock::now();
  const auto made = std::make_shared<const grammar::Grammar>(grammar::parse_json_schema(kSchema).value());
  const double grammar_ms = ms_since(start);
  const auto constraint = std::make_shared<grammar::Constraint>(made, trie, vocabulary);
  // Ten answers one after another, as requests with the same schema come.
  std::vector<double> first, later;
  Rng rng(2);
  for (int answer = 0; answer < 10; ++answer) {
    grammar::Matcher matcher(constraint);
    for (int step = 0; step < 300; ++step) {
      start = Clock::now();
      const std::span<const uint64_t> allowed = matcher.allowed();
      (answer == 0 ? first : later).push_back(ms_since(start));
      std::vector<int32_t> tokens;
      for (int32_t token = 0; token < size; ++token) {
        if ((allowed[static_cast<size_t>(token) / 64] >> (token % 64) & 1) != 0) tokens.push_back(token);
      }
      if (tokens.empty()) break;
      matcher.accept(rng.pick(tokens));
    }
  }
  std::puts(Json{{"tokens", size},
                 {"trie_ms", trie_ms},
                 {"grammar_ms", grammar_ms},
                 {"steps", first.size() + later.size()},
                 {"first_answer", summary(first)},
                 {"later_answers", summary(later)}}
                .dump(2)
                .c_str());
}

}  // namespace
}  // namespace sensorium::text

int main(int argc, char** argv) {
  try {
    sensorium::text::run(argc > 1 ? std::max(std::atoi(argv[1]), 1000) : 151936);
  } catch (const sensorium::Error& error) {
    std::fprintf(stderr, "grammar_bench: %s\n", error.what());
    return 1;
  }
}
