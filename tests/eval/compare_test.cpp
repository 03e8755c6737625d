#include "eval/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "eval/fake_model.h"
#include "temporary_folder.h"

namespace sensorium::eval {
namespace {

class Compare : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ = (folder_ / "questions.jsonl").string();
    std::ofstream(file_) << R"({"qa": [{"q": "a", "a": "x"}, {"q": "b", "a": "y"}]})"
                         << "\n"
                         << R"({"text": "c"})"
                         << "\n";
  }
  const TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
  std::string file_;
};

TEST_F(Compare, AModelWithItself) {
  FakeModel model({});
  model.say = [](const data::Record*, const std::string& question) { return "ab" + question; };
  const Comparison same = compare_models(model, model, {.data = file_});
  EXPECT_EQ(same.prompts, 3);
  EXPECT_EQ(same.tokens, 3 * 4);  // three letters and the end
  EXPECT_EQ(same.mean_kl, 0);
  EXPECT_EQ(same.same_token, 1);
  EXPECT_EQ(same.same_continuation, 1);
}

TEST_F(Compare, CountsEveryTokenThatDiffers) {
  FakeModel model({}), other({});
  model.say = [](const data::Record*, const std::string&) { return "abc"; };
  other.say = [](const data::Record*, const std::string& question) { return question == "b" ? "axc" : "abc"; };
  const Comparison found = compare_models(model, other, {.data = file_});
  EXPECT_DOUBLE_EQ(found.same_token, 11.0 / 12);
  EXPECT_DOUBLE_EQ(found.same_continuation, 2.0 / 3);
  // Logits are 1 for one token and 0 for 256 others: KL is p - q times the difference of 1.
  const double p = std::exp(1.0) / (std::exp(1.0) + 256), q = 1 / (std::exp(1.0) + 256);
  EXPECT_NEAR(found.mean_kl, (p - q) / 12, 1e-9);
  EXPECT_EQ(compare_models(model, other, {.data = file_, .prompts = 1}).prompts, 1);
  EXPECT_EQ(compare_models(model, other, {.data = file_, .tokens = 2}).tokens, 6);
}

TEST_F(Compare, NeedsPrompts) {
  FakeModel model({});
  std::ofstream(file_) << R"({"image": "none.png", "label": "cat"})"
                       << "\n";
  EXPECT_THROW(compare_models(model, model, {.data = file_}), Error);
}

}  // namespace
}  // namespace sensorium::eval
