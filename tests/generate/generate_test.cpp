#include "generate/generate.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/interrupt.h"
#include "base/utf8.h"

namespace sensorium::generate {
namespace {

// Tokens are byte strings, cut as the tests like. 0..4 are letters; 5 and 6 are the halves of "é"; 7 is "h" and the first
// three bytes of an emoji, 8 its last and "!".
constexpr std::array<std::string_view, 10> kPieces = {"a",     "b",    "c", "d", " e", "\xC3", "\xA9", "h\xF0\x9F\x98",
                                                      "\x80!", "<end>"};
constexpr int32_t kEnd = 9;

// Says the tokens of a script, then the end token, whatever it is told; every other token is a little less likely.
class ScriptedSession : public models::ChatSession {
 public:
  explicit ScriptedSession(std::vector<int32_t> script, int64_t room = 1000, float lead = 5.0f)
      : script_(std::move(script)), room_(room), lead_(lead) {
    point();
  }
  int64_t prompt_tokens() const override { return 3; }
  int64_t room() const override { return room_ - static_cast<int64_t>(accepted.size()); }
  std::span<const float> logits() const override { return logits_; }
  void accept(int32_t token) override {
    require(room() > 0, ErrorKind::limit, "the context is full");
    accepted.push_back(token);
    if (on_accept) on_accept();
    point();
  }
  bool is_end(int32_t token) const override { return token == kEnd; }
  models::ChatAnswer read(std::span<const int32_t> tokens) const override {
    models::ChatAnswer answer;
    for (const int32_t token : tokens) answer.text += kPieces[static_cast<size_t>(token)];
    answer.text = repair_utf8(answer.text);
    return answer;
  }
  class Stream : public models::AnswerStream {
   public:
    std::string push(int32_t token) override { return utf8_.push(kPieces[static_cast<size_t>(token)]); }
    std::string finish() override { return utf8_.finish(); }

   private:
    Utf8Stream utf8_;
  };
  std::unique_ptr<models::AnswerStream> stream() const override { return std::make_unique<Stream>(); }
  std::span<const int32_t> prompt_ids() const override { return prompt; }
  std::unique_ptr<models::ChatSession> fork() const override { return std::make_unique<ScriptedSession>(*this); }
  std::vector<double> score(std::span<const std::string>) override { return {}; }

  std::vector<int32_t> accepted, prompt;
  std::function<void()> on_accept;

 private:
  void point() {
    logits_.fill(0.0f);
    const size_t said = accepted.size();
    logits_[static_cast<size_t>(said < script_.size() ? script_[said] : kEnd)] = lead_;
  }
  std::vector<int32_t> script_;
  int64_t room_;
  float lead_;
  std::array<float, 10> logits_{};
};

class Generate : public ::testing::Test {
 protected:
  void TearDown() override { set_interrupted(false); }
  Generated run(models::ChatSession& session, const GenerateOptions& options = {}) {
    pieces_.clear();
    return generate(session, options, [&](std::string_view piece) { pieces_.emplace_back(piece); });
  }
  std::vector<std::string> pieces_;
};

TEST_F(Generate, StopsAtTheEndToken) {
  ScriptedSession session({0, 1, 4});
  const Generated result = run(session);
  EXPECT_EQ(result.stop, StopReason::end);
  EXPECT_EQ(result.tokens, (std::vector<int32_t>{0, 1, 4}));
  EXPECT_EQ(session.accepted, result.tokens);  // the end token is not part of the conversation yet
  EXPECT_EQ(result.answer.text, "ab e");       // what the session makes of the tokens
  EXPECT_EQ(pieces_, (std::vector<std::string>{"a", "b", " e"}));
}

TEST_F(Generate, AnAnswerMayBeEmpty) {
  ScriptedSession session({});
  const Generated result = run(session);
  EXPECT_EQ(result.stop, StopReason::end);
  EXPECT_TRUE(result.tokens.empty() && pieces_.empty() && result.answer.text.empty());
}

TEST_F(Generate, StopsAtMaxTokens) {
  ScriptedSession session({0, 1, 2, 3, 0});
  const Generated result = run(session, {.max_tokens = 3});
  EXPECT_EQ(result.stop, StopReason::length);
  EXPECT_EQ(result.tokens, (std::vector<int32_t>{0, 1, 2}));
  EXPECT_EQ(session.accepted.size(), 2u);  // nothing follows the last token: it needs no pass through the model
  // Exactly as long as the answer: whether the end would come next is not known.
  ScriptedSession exact({0, 1, 2});
  EXPECT_EQ(run(exact, {.max_tokens = 3}).stop, StopReason::length);
  EXPECT_THROW(run(exact, {.max_tokens = 0}), Error);
  EXPECT_THROW(run(exact, {.max_tokens = -1}), Error);
}

TEST_F(Generate, StopsWhenTheContextIsFull) {
  ScriptedSession session({0, 1, 2, 3}, 2);
  const Generated result = run(session);
  EXPECT_EQ(result.stop, StopReason::length);
  EXPECT_EQ(result.tokens, (std::vector<int32_t>{0, 1, 2}));  // the last one is known, but nothing can follow it
  ScriptedSession full({0, 1}, 0);
  EXPECT_EQ(run(full).tokens, (std::vector<int32_t>{0}));
}

TEST_F(Generate, PiecesEndOnCharacters) {
  ScriptedSession session({0, 5, 6, 7, 8, 1});
  run(session);
  EXPECT_EQ(pieces_, (std::vector<std::string>{"a", "\xC3\xA9", "h", "\xF0\x9F\x98\x80!", "b"}));
  for (const std::string& piece : pieces_) EXPECT_EQ(find_invalid_utf8(piece), std::string::npos);
}

TEST_F(Generate, AnUnfinishedCharacterIsReplacedAtTheEnd) {
  ScriptedSession session({0, 7});
  run(session);
  EXPECT_EQ(pieces_, (std::vector<std::string>{"a", "h", "\xEF\xBF\xBD"}));
  ScriptedSession cut({5, 6});
  run(cut, {.max_tokens = 1});
  EXPECT_EQ(pieces_, (std::vector<std::string>{"\xEF\xBF\xBD"}));
}

TEST_F(Generate, StopStringsEndTheAnswerAndAreNeverShown) {
  // "ab eab éc": the stop string " éc" lies over four tokens, and begins twice before it comes.
  const std::vector<int32_t> script = {0, 1, 4, 0, 1, 4, 5, 6, 2, 3};
  ScriptedSession session(script);
  const Generated result = run(session, {.stop = {" e\xC3\xA9", "zz"}});
  EXPECT_EQ(result.stop, StopReason::stop_string);
  EXPECT_EQ(result.answer.text, "ab eab");
  EXPECT_EQ(result.tokens, (std::vector<int32_t>{0, 1, 4, 0, 1, 4, 5, 6}));
  EXPECT_EQ(pieces_, (std::vector<std::string>{"a", "b", " ea", "b"}));
  // It never comes: what was held back is told at the end.
  ScriptedSession other(script);
  const Generated whole = run(other, {.max_tokens = 6, .stop = {" e\xC3\xA9"}});
  EXPECT_EQ(whole.stop, StopReason::length);
  EXPECT_EQ(whole.answer.text, "ab eab e");
  EXPECT_EQ(pieces_.back(), " e");
  EXPECT_THROW(run(other, {.stop = {""}}), Error);
}

TEST_F(Generate, LogProbabilitiesOfTheTokensSaid) {
  ScriptedSession session({2, 1}, 1000, std::log(11.0f));  // 11 of 20 for the token of the script
  const Generated result = run(session, {.top_log_probabilities = 2});
  ASSERT_EQ(result.log_probabilities.size(), 2u);
  EXPECT_EQ(result.log_probabilities[0].chosen.token, 2);
  EXPECT_NEAR(result.log_probabilities[0].chosen.log_probability, std::log(11.0 / 20), 1e-6);
  ASSERT_EQ(result.log_probabilities[1].top.size(), 2u);
  EXPECT_EQ(result.log_probabilities[1].top[0].token, 1);
  EXPECT_EQ(result.log_probabilities[1].top[1].token, 0);  // of equals the lower id
  EXPECT_NEAR(result.log_probabilities[1].top[1].log_probability, std::log(1.0 / 20), 1e-6);
  ScriptedSession none({2});
  EXPECT_TRUE(run(none).log_probabilities.empty());
  EXPECT_THROW(run(none, {.top_log_probabilities = 21}), Error);
}

TEST_F(Generate, ThePromptCountsForTheRepetitionPenaltyAlone) {
  const auto first = [&](const GenerateOptions& options) {
    ScriptedSession session({0, 0, 0}, 1000, 5.0f);
    session.prompt = {0, -1, 9};
    return run(session, options).tokens.front();
  };
  EXPECT_EQ(first({}), 0);
  EXPECT_EQ(first({.sampling = {.repetition_penalty = 10}, .max_tokens = 1}), 0);  // 0.5 is still the largest
  EXPECT_EQ(first({.sampling = {.presence_penalty = 2}, .max_tokens = 1}), 0);     // not said in the answer
  // 5 / 10 = 0.5 falls behind a bias of 1.
  EXPECT_EQ(first({.sampling = {.repetition_penalty = 10, .logit_bias = {{3, 1.0f}}}, .max_tokens = 1}), 3);
}

TEST_F(Generate, NeedsNoListener) {
  ScriptedSession session({0, 5, 6});
  EXPECT_EQ(generate(session, {}).tokens.size(), 3u);
}

TEST_F(Generate, TheSameSeedGivesTheSameAnswer) {
  const auto sample = [&](uint64_t seed) {
    ScriptedSession session({0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3}, 1000, 1.0f);
    return run(session, {.sampling = {.temperature = 1.0, .seed = seed}, .max_tokens = 12}).tokens;
  };
  EXPECT_EQ(sample(4), sample(4));
  int differ = 0;
  for (uint64_t seed = 10; seed < 20; ++seed) differ += sample(seed) != sample(4) ? 1 : 0;
  EXPECT_GE(differ, 9);
}

TEST_F(Generate, SamplesAreWhatSeparateRunsGive) {
  const GenerateOptions options{.sampling = {.temperature = 1.0, .seed = 7}, .max_tokens = 12, .stop = {"ca"}};
  const auto session = [] { return ScriptedSession({0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3}, 1000, 1.0f); };
  ScriptedSession prompt = session();
  pieces_.clear();
  const std::vector<Generated> samples =
      generate_samples(prompt, options, 8, [&](std::string_view piece) { pieces_.emplace_back(piece); });
  ASSERT_EQ(samples.size(), 8u);
  std::string heard;
  for (const std::string& piece : pieces_) heard += piece;
  EXPECT_EQ(heard, samples[0].answer.text);
  std::set<std::string> texts;
  for (size_t i = 0; i < samples.size(); ++i) {
    ScriptedSession alone = session();
    GenerateOptions own = options;
    own.sampling.seed += i;
    const Generated expected = run(alone, own);
    EXPECT_EQ(samples[i].tokens, expected.tokens);
    EXPECT_EQ(samples[i].answer.text, expected.answer.text);
    EXPECT_EQ(samples[i].stop, expected.stop);
    texts.insert(expected.answer.text);
  }
  EXPECT_GT(texts.size(), 6u);
  EXPECT_THROW(generate_samples(prompt, options, 0), Error);
  EXPECT_THROW(generate_samples(prompt, options, 65), Error);
}

TEST_F(Generate, AnInterruptionKeepsWhatWasSaid) {
  ScriptedSession session({0, 1, 2, 3});
  session.on_accept = [&] {
    if (session.accepted.size() == 2) set_interrupted(true);
  };
  const Generated result = run(session);
  EXPECT_EQ(result.stop, StopReason::interrupted);
  EXPECT_EQ(result.tokens, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(result.answer.text, "ab");
  EXPECT_EQ(pieces_, (std::vector<std::string>{"a", "b"}));
}

TEST_F(Generate, ErrorsOfModelAndListenerPass) {
  class Broken : public ScriptedSession {
   public:
    Broken() : ScriptedSession({0}) {}
    std::span<const float> logits() const override { return broken_; }

   private:
    std::vector<float> broken_ = std::vector<float>(10, std::numeric_limits<float>::quiet_NaN());
  };
  Broken broken;
  try {
    run(broken);
    FAIL() << "a token was chosen";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::numeric);
  }
  ScriptedSession session({0, 1});
  EXPECT_THROW(generate(session, {}, [](std::string_view) { throw Error(ErrorKind::io, "closed"); }), Error);
}

}  // namespace
}  // namespace sensorium::generate
