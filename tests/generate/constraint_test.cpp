// Answers that must meet a grammar, whatever the model would like to say.
#include "text/grammar/constraint.h"

#include <gtest/gtest.h>

#include <array>
#include <regex>

#include "base/json.h"
#include "base/utf8.h"
#include "generate/generate.h"
#include "text/bpe_trainer.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/json_schema.h"

namespace sensorium::generate {
namespace {

using text::grammar::Constraint;
using text::grammar::Matcher;
using text::grammar::parse_gbnf;
using text::grammar::parse_json_schema;

// Tokens of several bytes that cut words, numbers and characters anywhere; 0 is the end.
const text::Tokenizer& tokenizer() {
  static const std::unique_ptr<text::Tokenizer> made = [] {
    const std::vector<std::string> corpus(
        4,
        R"({"name": "Zoë", "age": 120, "tags": ["red", "green"], "x": -1.5, "next": null} true, false "], [" "}, {")");
    text::TrainOptions options;
    options.pattern = "[^\n]+";  // tokens across quotes and brackets
    options.special_tokens = {"<end>"};
    options.vocab_size = 1 + 256 + 80;
    return text::train_bpe(corpus, options);
  }();
  return *made;
}

// Wants something else at every step.
class RandomSession : public models::ChatSession {
 public:
  explicit RandomSession(uint64_t seed, float end_bonus = 0) : rng_(seed), end_bonus_(end_bonus) { draw(); }
  int64_t prompt_tokens() const override { return 1; }
  int64_t room() const override { return 100000; }
  std::span<const float> logits() const override { return logits_; }
  void accept(int32_t) override { draw(); }
  bool is_end(int32_t token) const override { return token == 0; }
  models::ChatAnswer read(std::span<const int32_t> tokens) const override { return {tokenizer().decode(tokens), {}}; }
  std::unique_ptr<models::ChatSession> fork() const override { return std::make_unique<RandomSession>(*this); }
  std::unique_ptr<models::AnswerStream> stream() const override {
    class Stream : public models::AnswerStream {
     public:
      std::string push(int32_t token) override { return decoder_.push(token); }
      std::string finish() override { return decoder_.finish(); }

     private:
      text::StreamDecoder decoder_{tokenizer()};
    };
    return std::make_unique<Stream>();
  }
  std::vector<double> score(std::span<const std::string>) override { return {}; }

 private:
  void draw() {
    // As many rows as an embedding may have beyond the vocabulary.
    logits_.resize(static_cast<size_t>(tokenizer().vocab_size()) + 100);
    for (float& logit : logits_) logit = static_cast<float>(3 * rng_.normal());
    logits_[0] += end_bonus_;
  }
  Rng rng_;
  float end_bonus_;
  std::vector<float> logits_;
};

TEST(Constraint, RandomModelsWriteWhatTheSchemaAllows) {
  const std::string schema = R"({"type":"object","properties":{"name":{"type":"string","maxLength":12},
    "age":{"type":"integer","minimum":0,"maximum":120},"tags":{"type":"array","items":{"enum":["red","green"]},"maxItems":3},
    "x":{"type":"number"},"next":{"type":["null","boolean"]}},"required":["name","age","x"]})";
  const auto constraint = std::make_shared<Constraint>(parse_json_schema(schema).value(), tokenizer());
  int sampled = 0;
  for (uint64_t seed = 0; seed < 120; ++seed) {
    RandomSession session(seed);
    GenerateOptions options{.max_tokens = 2000, .constraint = constraint};
    if (seed % 2 == 1) options.sampling = {.temperature = 1.5, .min_p = 0.01, .seed = seed};
    const Generated result = generate(session, options);
    ASSERT_EQ(result.stop, StopReason::end);
    const Result<Json> value = parse_json(result.answer.text);
    ASSERT_TRUE(value.ok()) << result.answer.text;
    const Json& object = value.value();
    for (const auto& [key, member] : object.items()) {
      EXPECT_TRUE(key == "name" || key == "age" || key == "tags" || key == "x" || key == "next") << key;
    }
    EXPECT_TRUE(object.at("name").is_string());
    EXPECT_TRUE(object.at("age").is_number_integer());
    EXPECT_GE(object.at("age").get<int64_t>(), 0);
    EXPECT_LE(object.at("age").get<int64_t>(), 120);
    EXPECT_TRUE(object.at("x").is_number());
    if (object.contains("tags")) {
      EXPECT_LE(object.at("tags").size(), 3u);
      for (const Json& tag : object.at("tags")) EXPECT_TRUE(tag == "red" || tag == "green");
    }
    ++sampled;
  }
  EXPECT_EQ(sampled, 120);
}

TEST(Constraint, PatternsHoldOverTokensThatCutCharacters) {
  const auto constraint =
      std::make_shared<Constraint>(parse_gbnf("root ::= [é-ÿ]{2,4} \"-\" [0-9]+ \"!\"").value(), tokenizer());
  for (uint64_t seed = 0; seed < 50; ++seed) {
    RandomSession session(seed);
    const Generated result = generate(session, {.max_tokens = 3000, .constraint = constraint});
    ASSERT_EQ(result.stop, StopReason::end);
    EXPECT_EQ(find_invalid_utf8(result.answer.text), std::string::npos);
    EXPECT_TRUE(std::regex_match(result.answer.text, std::regex("(\xC3[\xA9-\xBF]){2,4}-[0-9]+!")))
        << result.answer.text;
  }
}

TEST(Constraint, TheEndComesOnlyWhereTheTextIsComplete) {
  const auto constraint =
      std::make_shared<Constraint>(parse_gbnf("root ::= \"ab\" (\",\" \"ab\")*").value(), tokenizer());
  // The model wants to end at once; it may after "ab", and does.
  RandomSession eager(1, 100.0f);
  EXPECT_EQ(generate(eager, {.constraint = constraint}).answer.text, "ab");
  // It never wants to end: cut off.
  RandomSession lazy(1, -100.0f);
  const Generated cut = generate(lazy, {.max_tokens = 30, .constraint = constraint});
  EXPECT_EQ(cut.stop, StopReason::length);
  EXPECT_EQ(cut.tokens.size(), 30u);
  // Nothing can follow: the answer ends though the model does not say so.
  const auto fixed = std::make_shared<Constraint>(parse_gbnf("root ::= \"ab\"").value(), tokenizer());
  RandomSession other(2, -100.0f);
  EXPECT_EQ(generate(other, {.constraint = fixed}).stop, StopReason::end);
}

// The set of allowed tokens is what following each token byte by byte says.
TEST(Constraint, AllowedTokensAreThoseThatCanBeFollowed) {
  const auto constraint = std::make_shared<Constraint>(
      parse_json_schema(R"({"properties":{"name":{"type":"string"},"age":{"type":"integer"}},"required":["age"]})")
          .value(),
      tokenizer());
  Rng rng(4);
  for (int round = 0; round < 20; ++round) {
    Matcher matcher(constraint);
    for (int step = 0; step < 40; ++step) {
      std::vector<int32_t> tokens;
      const std::vector<uint64_t> allowed(matcher.allowed().begin(), matcher.allowed().end());
      for (int32_t token = 0; token < tokenizer().vocab_size(); ++token) {
        const bool bit = (allowed[static_cast<size_t>(token) / 64] >> (token % 64) & 1) != 0;
        ASSERT_EQ(bit, matcher.allows(token)) << token;
        if (bit) tokens.push_back(token);
      }
      if (tokens.empty()) {
        EXPECT_TRUE(matcher.may_end());
        break;
      }
      matcher.accept(rng.pick(tokens));
    }
  }
  Matcher matcher(constraint);
  EXPECT_THROW(matcher.accept(0), Error);  // a control token
}

TEST(Constraint, SamplesShareOne) {
  const auto constraint = std::make_shared<Constraint>(
      parse_json_schema(R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":4})").value(),
      tokenizer());
  RandomSession session(9);
  const GenerateOptions options{.sampling = {.temperature = 1}, .max_tokens = 500, .constraint = constraint};
  for (const Generated& sample : generate_samples(session, options, 5)) {
    ASSERT_EQ(sample.stop, StopReason::end);
    const Json list = Json::parse(sample.answer.text);
    EXPECT_GE(list.size(), 2u);
    EXPECT_LE(list.size(), 4u);
  }
}

// A tokenizer that puts a space in front of a text and drops it again: the space is no part of what must match.
class SpacedTokenizer : public text::Tokenizer {
 public:
  std::vector<int32_t> encode(std::string_view, const text::EncodeOptions&) const override { return {}; }
  std::string decode(std::span<const int32_t>, text::DecodeSpecials) const override { return {}; }
  std::string_view token_bytes(int32_t id) const override { return kTokens[static_cast<size_t>(id)]; }
  text::LeadingSpaces leading_spaces() const override { return {.count = 1}; }
  int32_t vocab_size() const override { return 5; }
  std::optional<int32_t> token_id(std::string_view) const override { return std::nullopt; }
  const std::vector<text::SpecialToken>& special_tokens() const override { return none_; }
  bool is_control(int32_t) const override { return false; }

 private:
  static constexpr std::array<std::string_view, 5> kTokens = {" a", "a", " b", "b", " "};
  std::vector<text::SpecialToken> none_;
};

TEST(Constraint, ASpaceThatTheTokenizerDropsIsAllowedAtTheBegin) {
  const SpacedTokenizer spaced;
  const auto constraint = std::make_shared<Constraint>(parse_gbnf("root ::= \"ab\" \" b\"?").value(), spaced);
  Matcher matcher(constraint);
  EXPECT_EQ(matcher.allowed()[0], 0b00011u);
  matcher.accept(0);
  EXPECT_EQ(matcher.allowed()[0], 0b01000u);
  matcher.accept(3);
  EXPECT_TRUE(matcher.may_end());
  EXPECT_EQ(matcher.allowed()[0], 0b10100u);
}

}  // namespace
}  // namespace sensorium::generate
