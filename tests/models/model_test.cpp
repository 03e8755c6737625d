// Legend: T tokens, C channels of the decoder.
#include "models/sensorium/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "models/sensorium/chat.h"
#include "models/tiny_model.h"

namespace sensorium::models {
namespace {

double largest_difference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    most = std::max(most, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return most;
}

double spread(std::span<const float> values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return *high - *low;
}

std::shared_ptr<const media::Image> shared_image(uint64_t seed, int width = 32, int height = 32) {
  return std::make_shared<const media::Image>(tiny_image(seed, width, height));
}

std::vector<float> prompt_logits(const Model& model, const std::vector<ChatPart>& parts) {
  const std::vector<ChatMessage> messages = {{"user", parts}};
  const auto session = model.start(messages);
  return {session->logits().begin(), session->logits().end()};
}

// The decoder's rows of pictures that go through the encoder as one batch.
Tensor image_tokens(const SensoriumModel& model, const std::vector<const media::Image*>& images,
                    std::vector<int64_t>& offsets) {
  const NoGrad no_grad;
  std::vector<media::Image> resized;
  std::vector<const media::Image*> pointers;
  for (const media::Image* image : images)
    resized.push_back(modality::resize_for_model(*image, model.config().prepare));
  for (const media::Image& image : resized) pointers.push_back(&image);
  return model.project(model.encode(modality::pack_images(pointers, DType::f32)), offsets);
}

// The logits of the last position by one pass over everything, without a cache.
std::vector<float> full_logits(const SensoriumModel& model, const TokenSequence& sequence,
                               const std::vector<const media::Image*>& images) {
  const NoGrad no_grad;
  std::vector<int64_t> offsets;
  const Tensor image_tokens_TC = images.empty() ? Tensor() : image_tokens(model, images, offsets);
  if (images.empty()) offsets = {0};
  ops::Sequences packed;
  const TokenSequence* pointer = &sequence;
  const Tensor x_TC = model.embed({&pointer, 1}, image_tokens_TC, offsets, DType::f32, packed);
  const Tensor hidden_TC = model.decoder()(x_TC, packed);
  return model.decoder().logits(hidden_TC.slice(hidden_TC.dim(0) - 1, hidden_TC.dim(0))).to_floats();
}

TEST(SensoriumDecoder, StepByStepWithACacheEqualsTheFullPass) {
  const NoGrad no_grad;
  const auto model = tiny_model();
  const Decoder& decoder = model->decoder();
  Rng rng(3);
  std::vector<int32_t> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(static_cast<int32_t>(rng.below(1300)));
  const Tensor x_TC = decoder.embed(Tensor::from(ids, {20}), DType::f32);
  const std::vector<float> full = decoder.logits(decoder(x_TC, {{0, 20}})).to_floats();

  nn::KvCache cache(std::make_shared<nn::KvPool>(decoder.cache_layout(DType::f32), 1 << 20), 20);
  nn::KvCache* const caches[] = {&cache};
  std::vector<float> steps;
  for (const auto& [begin, end] : {std::pair{0, 7}, {7, 8}, {8, 9}, {9, 14}, {14, 15}, {15, 20}}) {
    const Tensor hidden_TC = decoder.cached(x_TC.slice(begin, end), {{0, end - begin}}, caches);
    const std::vector<float> logits = decoder.logits(hidden_TC).to_floats();
    steps.insert(steps.end(), logits.begin(), logits.end());
  }
  EXPECT_EQ(cache.length(), 20);
  EXPECT_LT(largest_difference(steps, full), 1e-5 * spread(full));
}

TEST(SensoriumDecoder, SeesNothingOfTheFutureNorOfOtherSequences) {
  const NoGrad no_grad;
  const auto model = tiny_model();
  const Decoder& decoder = model->decoder();
  const auto run = [&](const std::vector<int32_t>& ids, const ops::Sequences& sequences) {
    return decoder(decoder.embed(Tensor::from(ids, {static_cast<int64_t>(ids.size())}), DType::f32), sequences);
  };
  const std::vector<int32_t> ids = {1, 40, 900, 1100, 7, 1200};
  const std::vector<float> alone = run({1, 40, 900}, {{0, 3}}).to_floats();
  EXPECT_LT(largest_difference(run(ids, {{0, 6}}).slice(0, 3).to_floats(), alone), 1e-5 * spread(alone));
  EXPECT_LT(largest_difference(run({1100, 7, 1, 40, 900, 1200}, {{0, 2, 5, 6}}).slice(2, 5).to_floats(), alone),
            1e-5 * spread(alone));
}

TEST(SensoriumChat, AcceptedTokensContinueThePromptAsOneSequence) {
  const auto model = tiny_model();
  const auto chat = wrap_sensorium(*model, DType::f32);
  const std::vector<ChatMessage> messages = {{"user", {{"how many dogs?", nullptr}}}};
  const auto session = chat->start(messages);

  TokenSequence sequence;
  model->prompt().begin(sequence);
  model->prompt().begin_turn(sequence, "user");
  model->prompt().text(sequence, "how many dogs?");
  model->prompt().end_turn(sequence);
  model->prompt().begin_turn(sequence, "assistant");
  EXPECT_EQ(session->prompt_tokens(), static_cast<int64_t>(sequence.tokens.size()));
  EXPECT_EQ(session->room(), model->config().decoder.context - session->prompt_tokens());
  for (const int32_t token : {1200, 1100, 1250, 1012, 1013}) {
    session->accept(token);
    sequence.push(token);
    const std::vector<float> expected = full_logits(*model, sequence, {});
    // The session's cache holds bf16: eight bits of precision.
    EXPECT_LT(largest_difference(session->logits(), expected), 0.01 * spread(expected));
  }
}

TEST(SensoriumChat, InterleavedPicturesStandWhereTheMessagePutsThem) {
  const auto model = tiny_model();
  const auto chat = wrap_sensorium(*model, DType::f32);
  const auto first = shared_image(1), second = shared_image(2, 64, 32);
  const std::vector<ChatMessage> messages = {
      {"user", {{"a ", nullptr}, {"", first}, {"two", nullptr}, {"", second}, {"which?", nullptr}}}};
  const auto session = chat->start(messages);

  // Sides of 32 and 64 are 2 and 4 positions at a sixteenth, 1 and 2 after merging.
  EXPECT_EQ(model->image_token_count(32, 32), 1);
  EXPECT_EQ(model->image_token_count(64, 32), 2);
  const PromptWriter& writer = model->prompt();
  TokenSequence sequence;
  writer.begin(sequence);
  writer.begin_turn(sequence, "user");
  writer.text(sequence, "a ");
  writer.image(sequence, 0, 1);
  writer.evidence(sequence, model->perceive(*first, DType::f32).evidence);
  writer.text(sequence, "two");
  writer.image(sequence, 1, 2);
  writer.evidence(sequence, model->perceive(*second, DType::f32).evidence);
  writer.text(sequence, "which?");
  writer.end_turn(sequence);
  writer.begin_turn(sequence, "assistant");
  EXPECT_EQ(session->prompt_tokens(), static_cast<int64_t>(sequence.tokens.size()));
  const std::vector<float> expected = full_logits(*model, sequence, {first.get(), second.get()});
  EXPECT_LT(largest_difference(session->logits(), expected), 0.01 * spread(expected));
}

TEST(SensoriumModel, EmbedFillsImagePlacesWithTheRowsOfTheirPictures) {
  const NoGrad no_grad;
  const auto model = tiny_model();
  const int32_t place = model->prompt().special().image;
  Rng rng(5);
  const Tensor rows_TC = Tensor::randn({5, 16}, rng);  // picture 0: two rows, picture 1: three
  const std::vector<int64_t> offsets = {0, 2, 5};
  TokenSequence one, two;
  for (const int32_t token : {1, place, place, place, 1100, place, place}) one.push(token);
  one.images = {1, 0};
  for (const int32_t token : {1200, place, place}) two.push(token);
  two.images = {0};
  const std::vector<const TokenSequence*> sequences = {&one, &two};
  ops::Sequences packed;
  const Tensor x_TC = model->embed(sequences, rows_TC, offsets, DType::f32, packed);
  EXPECT_EQ(packed.offsets, (std::vector<int32_t>{0, 7, 10}));
  // Negative: a row of the embedding, -1 - id; else a picture's row.
  const std::vector<int> expected = {-1 - 1, 2, 3, 4, -1 - 1100, 0, 1, -1 - 1200, 0, 1};
  ASSERT_EQ(x_TC.shape(), (Shape{10, 16}));
  for (size_t t = 0; t < expected.size(); ++t) {
    const float* row = expected[t] < 0 ? model->decoder().embedding().data<float>() + (-1 - expected[t]) * 16
                                       : rows_TC.data<float>() + expected[t] * 16;
    for (int c = 0; c < 16; ++c) EXPECT_EQ(x_TC.data<float>()[static_cast<int>(t) * 16 + c], row[c]) << t << " " << c;
  }

  one.images = {1};  // one picture for places of two
  EXPECT_EQ(error_of([&] { model->embed(sequences, rows_TC, offsets, DType::f32, packed); }).kind(), ErrorKind::shape);
  one.images = {1, 0, 0};
  EXPECT_EQ(error_of([&] { model->embed(sequences, rows_TC, offsets, DType::f32, packed); }).kind(), ErrorKind::shape);
  one.images = {1, 2};  // there is no picture 2
  EXPECT_EQ(error_of([&] { model->embed(sequences, rows_TC, offsets, DType::f32, packed); }).kind(), ErrorKind::shape);
}

TEST(SensoriumChat, OrderAndContentOfPicturesMatter) {
  const auto model = tiny_model();
  const auto chat = wrap_sensorium(*model, DType::f32);
  const auto a = shared_image(1), b = shared_image(2);
  const std::vector<float> ab = prompt_logits(*chat, {{"", a}, {"", b}, {"which?", nullptr}});
  const std::vector<float> ba = prompt_logits(*chat, {{"", b}, {"", a}, {"which?", nullptr}});
  const std::vector<float> aa = prompt_logits(*chat, {{"", a}, {"", a}, {"which?", nullptr}});
  const std::vector<float> again = prompt_logits(*chat, {{"", a}, {"", b}, {"which?", nullptr}});
  EXPECT_EQ(ab, again);
  EXPECT_GT(largest_difference(ab, ba), 1e-3 * spread(ab));
  EXPECT_GT(largest_difference(ab, aa), 1e-3 * spread(ab));
}

TEST(SensoriumModel, ABatchOfPicturesEqualsThemOneByOne) {
  const auto model = tiny_model();
  // Sizes that are no multiples of the stride, one smaller than min_side, one larger than the budget, one grey.
  std::vector<media::Image> images = {tiny_image(1, 32, 32), tiny_image(2, 50, 37), tiny_image(3, 20, 16),
                                      tiny_image(4, 90, 70)};
  images.push_back(media::Image(40, 33, 1, 90));
  std::vector<const media::Image*> pointers;
  for (const media::Image& image : images) pointers.push_back(&image);
  std::vector<int64_t> offsets;
  const Tensor together_TC = image_tokens(*model, pointers, offsets);
  ASSERT_EQ(offsets.size(), images.size() + 1);
  for (size_t i = 0; i < images.size(); ++i) {
    const std::vector<float> expected = model->perceive(images[i], DType::f32).image_tokens_TC.to_floats();
    const std::vector<float> actual = together_TC.slice(offsets[i], offsets[i + 1]).to_floats();
    EXPECT_LT(largest_difference(actual, expected), 1e-5 * spread(expected)) << i;
    const modality::PreparedSize size =
        modality::prepared_size(images[i].width, images[i].height, model->config().prepare);
    EXPECT_EQ(offsets[i + 1] - offsets[i], model->image_token_count(size.width, size.height)) << i;
  }
}

TEST(SensoriumChat, RemembersPicturesButNeverMixesThemUp) {
  const auto model = tiny_model();
  const auto chat = wrap_sensorium(*model, DType::f32);
  const auto kept = shared_image(100);
  const std::vector<float> expected = prompt_logits(*chat, {{"", kept}, {"which?", nullptr}});
  // More pictures than are remembered, each gone before the next, maybe at the same address.
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<float> logits = prompt_logits(*chat, {{"", shared_image(seed)}, {"which?", nullptr}});
    const auto fresh = wrap_sensorium(*model, DType::f32);
    EXPECT_EQ(logits, prompt_logits(*fresh, {{"", shared_image(seed)}, {"which?", nullptr}})) << seed;
  }
  EXPECT_EQ(prompt_logits(*chat, {{"", kept}, {"which?", nullptr}}), expected);
}

TEST(SensoriumChat, APromptBeyondTheContextSaysByHowMuch) {
  const auto model = tiny_model();
  const auto chat = wrap_sensorium(*model, DType::f32);
  // No merges apply to '#': a token each, and four around them.
  const auto start = [&](size_t characters) {
    const std::vector<ChatMessage> messages = {{"user", {{std::string(characters, '#'), nullptr}}}};
    return chat->start(messages);
  };
  const Error error = error_of([&] { start(120); });
  EXPECT_EQ(error.kind(), ErrorKind::limit);
  expect_contains(error.message(), {"124 tokens", "96"});
  EXPECT_EQ(error_of([&] { start(92); }).kind(), ErrorKind::limit);  // no room for an answer

  const auto session = start(90);
  EXPECT_EQ(session->room(), 2);
  session->accept(1100);
  session->accept(1101);
  EXPECT_EQ(session->room(), 0);
  const std::vector<float> before(session->logits().begin(), session->logits().end());
  EXPECT_EQ(error_of([&] { session->accept(1102); }).kind(), ErrorKind::limit);
  EXPECT_EQ(before, std::vector<float>(session->logits().begin(), session->logits().end()));
}

TEST(SensoriumChat, RefusesUnknownRoles) {
  const auto model = tiny_model();
  const auto chat = wrap_sensorium(*model, DType::f32);
  const std::vector<ChatMessage> messages = {{"robot", {{"hello", nullptr}}}};
  const Error error = error_of([&] { chat->start(messages); });
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  expect_contains(error.message(), {"robot", "assistant"});
}

double log_probability(std::span<const float> logits, int32_t token) {
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  return logits[static_cast<size_t>(token)] - std::log(sum);
}

TEST(SensoriumChat, ScoresAreTheLogProbabilitiesOfTheTokensAndTheEnd) {
  const auto model = tiny_model();
  const auto chat = wrap_sensorium(*model, DType::f32);
  const std::vector<ChatMessage> messages = {{"user", {{"how many?", nullptr}}}};
  const std::vector<std::string> answers = {"three dogs", "two", ""};
  const auto session = chat->start(messages);
  const std::vector<float> before(session->logits().begin(), session->logits().end());
  const std::vector<double> scores = session->score(answers);
  EXPECT_EQ(before, std::vector<float>(session->logits().begin(), session->logits().end()));
  ASSERT_EQ(scores.size(), 3u);
  for (size_t i = 0; i < answers.size(); ++i) {
    const auto stepwise = chat->start(messages);
    std::vector<int32_t> tokens = model->tokenizer().encode(answers[i]);
    tokens.push_back(model->prompt().special().end);
    double expected = 0;
    for (const int32_t token : tokens) {
      expected += log_probability(stepwise->logits(), token);
      stepwise->accept(token);
    }
    EXPECT_NEAR(scores[i], expected, 2e-3 * std::abs(expected)) << answers[i];
  }
}

TEST(SensoriumChat, TextNllSumsOverEveryTokenOnce) {
  const auto model = tiny_model();
  const auto chat = wrap_sensorium(*model, DType::f32);
  const std::string text = "three dogs and two cats";
  std::vector<int32_t> tokens = model->tokenizer().encode(text);
  tokens.insert(tokens.begin(), model->prompt().special().bos);
  TokenSequence sequence;
  double expected = 0;
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    sequence.push(tokens[i]);
    expected -= log_probability(full_logits(*model, sequence, {}), tokens[i + 1]);
  }
  const auto [sum, count] = chat->text_nll(text);
  EXPECT_EQ(count, static_cast<int64_t>(tokens.size()) - 1);
  EXPECT_NEAR(sum, expected, 1e-4 * expected);
  // Longer than the context: windows, but every token is counted once.
  EXPECT_EQ(chat->text_nll(std::string(300, '#')).second, 300);
}

}  // namespace
}  // namespace sensorium::models
