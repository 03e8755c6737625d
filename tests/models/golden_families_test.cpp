// The public families against transformers: tools/golden/models_families.py.
#include <fmt/format.h>

#include "base/file.h"
#include "models/dual_encoder/dual_encoder.h"
#include "models/golden_folder.h"
#include "models/llava/model.h"
#include "models/tiny_model.h"

namespace sensorium::models {
namespace {

class GoldenText : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenText, LogitsAndGreedyTokens) {
  const GoldenFolder golden(GetParam());
  const auto model = load_model(golden.path(), DType::f32);
  const ChatMessage message = user({{.text = kQuestion}});
  const auto session = model->start({&message, 1});
  const Tensor logits_TV = golden.expected("logits");
  EXPECT_EQ(session->prompt_tokens(), logits_TV.dim(0));
  expect_close(as_tensor(session->logits()), last_row(logits_TV));
  expect_continuation(*session, golden.ids("tokens"));
}

// All positions: what the prompt itself is worth.
TEST_P(GoldenText, LikelihoodOfThePrompt) {
  const GoldenFolder golden(GetParam());
  const auto model = load_model(golden.path(), DType::f32);
  const std::vector<int32_t> ids = golden.ids("ids");
  const Tensor logits_TV = golden.expected("logits");
  double expected = 0;
  for (int64_t t = 0; t + 1 < logits_TV.dim(0); ++t) {
    const float* row = logits_TV.data<float>() + t * logits_TV.dim(1);
    double sum = 0;
    for (int64_t v = 0; v < logits_TV.dim(1); ++v) sum += std::exp(static_cast<double>(row[v]));
    expected += std::log(sum) - row[ids[static_cast<size_t>(t) + 1]];
  }
  // Control tokens cannot be written as text: only prompts without them can be asked for.
  if (std::string(GetParam()) == "qwen2") GTEST_SKIP() << "its prompt has control tokens";
  const auto [nll, count] = model->text_nll(model->tokenizer().decode(ids));
  EXPECT_EQ(count, static_cast<int64_t>(ids.size()) - 1);
  EXPECT_NEAR(nll, expected, 1e-4 * expected);
}

// bf16 rounds every activation: near, not equal.
TEST_P(GoldenText, InBf16) {
  const GoldenFolder golden(GetParam());
  const auto model = load_model(golden.path());
  const ChatMessage message = user({{.text = kQuestion}});
  const auto session = model->start({&message, 1});
  expect_close(as_tensor(session->logits()), last_row(golden.expected("logits")), 0.06);
}

INSTANTIATE_TEST_SUITE_P(Families, GoldenText, ::testing::Values("llama", "mistral", "qwen2"),
                         [](const auto& family) { return std::string(family.param); });

class GoldenDual : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenDual, PixelsStatesAndSimilarities) {
  const GoldenFolder golden(GetParam());
  const auto model = load_model(golden.path(), DType::f32);
  const auto& dual = dynamic_cast<const DualEncoder&>(*model);
  const std::vector<media::Image> images = {*golden.picture(0), *golden.picture(1)};
  const Tensor pixels = dual.prepare(images);
  expect_close(pixels, golden.expected("pixels"), 1e-6);

  const NoGrad no_grad;
  const std::vector<int64_t> wanted = {0, 1};
  const std::vector<Tensor> states = dual.vision().states(pixels, wanted, DType::f32);
  expect_close(states[0], golden.expected("vision.state0"));
  expect_close(states[1], golden.expected("vision.state1"));

  const std::vector<std::string> labels = {"a photo of a cat", "a photo of a dog", "a red boat"};
  const Tensor image_embeds = dual.embed_images(images), text_embeds = dual.embed_texts(labels);
  expect_close(image_embeds, golden.expected("image_embeds"));
  expect_close(text_embeds, golden.expected("text_embeds"));
  const Tensor logits = dual.compare(image_embeds, text_embeds);
  expect_close(logits, golden.expected("logits"));

  // One picture alone gives what it gives in a batch.
  expect_close(dual.embed_images({&images[1], 1}), image_embeds.slice(1, 2), 1e-6);
  const std::vector<float> probabilities = model->classify(images[0], labels);
  EXPECT_EQ(argmax(probabilities), argmax(logits.span<float>().subspan(0, 3)));
  EXPECT_NEAR(probabilities[0] + probabilities[1] + probabilities[2], 1.0f, 1e-5f);
}

TEST_P(GoldenDual, AnswersNoQuestions) {
  const auto model = load_model(GoldenFolder(GetParam()).path());
  const ChatMessage message = user({{.text = kQuestion}});
  EXPECT_EQ(error_of([&] { model->start({&message, 1}); }).kind(), ErrorKind::unsupported);
  EXPECT_EQ(error_of([&] { model->find_objects(tiny_image(1), {}); }).kind(), ErrorKind::unsupported);
}

INSTANTIATE_TEST_SUITE_P(Families, GoldenDual, ::testing::Values("clip", "siglip"),
                         [](const auto& family) { return std::string(family.param); });

TEST(GoldenLlava, OnePictureAndTwo) {
  const GoldenFolder golden("llava");
  const auto model = load_model(golden.path(), DType::f32);
  const auto& llava = dynamic_cast<const LlavaModel&>(*model);
  std::vector<Tensor> features;
  for (int i = 0; i < 2; ++i) {
    const auto picture = golden.picture(i);
    expect_close(llava.prepare(*picture), golden.expected("pixels").slice(i, i + 1), 1e-6);
    features.push_back(llava.read_picture(*picture));
    expect_close(features.back(), golden.expected("features").slice(i, i + 1));
  }
  const ChatMessage one = user({{.image = golden.picture(0)}, {.text = kQuestion}});
  const ChatMessage two = user(
      {{.image = golden.picture(0)}, {.text = "Is it like this?"}, {.image = golden.picture(1)}, {.text = kQuestion}});
  for (const auto& [name, message, rows] :
       {std::tuple("one", one, std::vector<int64_t>{16}), std::tuple("two", two, std::vector<int64_t>{16, 16})}) {
    const std::string prefix = std::string(name) + ".";
    EXPECT_EQ(llava.write_tokens({&message, 1}, rows), golden.ids(prefix + "ids"));
    const auto session = model->start({&message, 1});
    expect_close(as_tensor(session->logits()), last_row(golden.expected(prefix + "logits")));
    expect_continuation(*session, golden.ids(prefix + "tokens"));
  }
}

TEST(GoldenLlava, AnyresTilesOfThreePictures) {
  const GoldenFolder golden("llava_next");
  const auto model = load_model(golden.path(), DType::f32);
  const auto& llava = dynamic_cast<const LlavaModel&>(*model);
  for (int i = 0; i < 3; ++i) {
    const std::string number = std::to_string(i);
    const auto picture = golden.picture(i);
    if (i < 2) expect_close(llava.prepare(*picture), golden.expected("pixels" + number), 1e-6);
    const Tensor features = llava.read_picture(*picture);
    expect_close(features, golden.expected("features" + number));
    const ChatMessage message = user({{.image = picture}, {.text = kQuestion}});
    const std::vector<int64_t> rows = {features.dim(0)};
    EXPECT_EQ(llava.write_tokens({&message, 1}, rows), golden.ids("ids" + number));
    const auto session = model->start({&message, 1});
    expect_close(as_tensor(session->logits()), golden.expected("logits" + number));
    expect_continuation(*session, golden.ids("tokens" + number));
  }
}

}  // namespace
}  // namespace sensorium::models
