#include "models/sensorium/grounding.h"

#include <gtest/gtest.h>

#include "models/tiny_model.h"

namespace sensorium::models {
namespace {

// Says an answer that a decoder wishes to say, and returns the tokens that come out.
class GroundingTest : public ::testing::Test {
 protected:
  const text::Tokenizer& tokenizer() const { return model_->tokenizer(); }
  const SpecialTokens& special() const { return model_->prompt().special(); }
  static Evidence evidence() {
    return {.labels = {},
            .objects = {{"helmet", 1, {0.1f, 0.2f, 0.3f, 0.4f}},
                        {"head", 1, {0.4f, 0.2f, 0.5f, 0.4f}},
                        {"helmet", 1, {0.6f, 0.1f, 0.8f, 0.3f}}}};
  }
  std::vector<int32_t> say(Grounding& grounding, const std::vector<int32_t>& wishes) const {
    std::vector<int32_t> said;
    for (const int32_t wish : wishes) {
      said.push_back(grounding.grounded(wish));
      if (said.back() == special().end) break;
      grounding.accept(said.back());
    }
    return said;
  }
  std::vector<int32_t> words_and_box(const std::string& words) const {
    std::vector<int32_t> tokens = tokenizer().encode(words);
    tokens.insert(tokens.end(), 4, special().location0 + 7);  // a box that nobody has seen
    return tokens;
  }
  std::unique_ptr<SensoriumModel> model_ = tiny_model();
};

TEST_F(GroundingTest, BoxesAreTheEvidencesInItsOrder) {
  Grounding grounding(tokenizer(), special(), evidence());
  std::vector<int32_t> wishes = words_and_box(" helmet");
  for (const int32_t token : words_and_box(", helmet")) wishes.push_back(token);
  const Answer answer = read_answer(say(grounding, wishes), tokenizer(), special());
  ASSERT_EQ(answer.boxes.size(), 2u);
  EXPECT_EQ(answer.boxes[0].label, "helmet");
  EXPECT_NEAR(answer.boxes[0].box.x0, 0.1f, 0.001f);
  EXPECT_NEAR(answer.boxes[0].box.y1, 0.4f, 0.001f);
  EXPECT_NEAR(answer.boxes[1].box.x0, 0.6f, 0.001f);
  EXPECT_NEAR(answer.boxes[1].box.y1, 0.3f, 0.001f);
}

TEST_F(GroundingTest, WithoutAnObjectThereIsNoBox) {
  Grounding grounding(tokenizer(), special(), evidence());
  std::vector<int32_t> wishes = words_and_box(" head");
  for (const int32_t token : words_and_box(", head")) wishes.push_back(token);  // there is only one
  EXPECT_EQ(read_answer(say(grounding, wishes), tokenizer(), special()).boxes.size(), 1u);
  Grounding of_nothing(tokenizer(), special(), {});
  EXPECT_TRUE(read_answer(say(of_nothing, words_and_box(" dog")), tokenizer(), special()).boxes.empty());
}

TEST_F(GroundingTest, WordsAreFree) {
  Grounding grounding(tokenizer(), special(), evidence());
  const std::vector<int32_t> words = tokenizer().encode("two people, 1 helmet");
  EXPECT_EQ(say(grounding, words), words);
}

}  // namespace
}  // namespace sensorium::models
