// The public families against transformers: tools/golden/models_families.py.
#include <fmt/format.h>

#include <tuple>

#include "base/file.h"
#include "media/encode.h"
#include "models/checkpoint/checkpoint.h"
#include "models/decoder/prompt.h"
#include "models/dual_encoder/dual_encoder.h"
#include "models/film_of_frames.h"
#include "models/golden_folder.h"
#include "models/llava/model.h"
#include "models/llava_onevision/model.h"
#include "models/tiny_model.h"
#include "temporary_folder.h"

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

// The folder's own template where it has one, as transformers renders and reads it.
TEST_P(GoldenText, PromptsOfOneTurnAndOfSeveral) {
  const GoldenFolder golden(GetParam());
  const auto checkpoint = Checkpoint::open(golden.path(), {});
  const auto tokenizer = checkpoint->tokenizer();
  const ChatPromptWriter prompts(*checkpoint, *tokenizer, GetParam(), {});
  const ChatMessage question = user({{.text = kQuestion}});
  EXPECT_EQ(prompts.write({&question, 1}), golden.ids("ids"));
  if (std::string(GetParam()) == "mistral") return;  // has no template
  EXPECT_EQ(prompts.name(), "the checkpoint's own");
  const std::vector<ChatMessage> turns = {{.role = "system", .parts = {{.text = "Be brief."}}},
                                          user({{.text = "a photo of a cat"}}),
                                          {.role = "assistant", .parts = {{.text = "three dogs."}}},
                                          question};
  EXPECT_EQ(prompts.write(turns), golden.ids("long_ids"));
}

// A prompt that its writer wrote whole is read as the reference reads it, and gone on with.
TEST_P(GoldenText, PromptsWithoutTurns) {
  const GoldenFolder golden(GetParam());
  const auto model = load_model(golden.path(), DType::f32);
  const std::vector<int32_t> ids = golden.ids("ids");
  const auto session = model->begin_tokens(ids);
  while (!session->read_prompt(64)) {
  }
  EXPECT_EQ(session->prompt_tokens(), static_cast<int64_t>(ids.size()));
  expect_close(as_tensor(session->logits()), last_row(golden.expected("logits")));
  expect_continuation(*session, golden.ids("tokens"));
  const auto own = Checkpoint::open(golden.path(), {})->chat_template();
  if (!own) return;  // Mistral's folder has none
  const OrderedJson turns = OrderedJson::array({{{"role", "user"}, {"content", kQuestion}}});
  EXPECT_EQ(model->encode_prompt(own->render(turns).value().text), ids);
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

// One picture, two around a text, three in two turns.
std::vector<std::tuple<std::string, std::vector<ChatMessage>, int64_t>> interleaved(const GoldenFolder& golden) {
  const auto first = golden.picture(0), second = golden.picture(1);
  return {{"one", {user({{.image = first}, {.text = kQuestion}})}, 1},
          {"two", {user({{.image = first}, {.text = "Is it like this?"}, {.image = second}, {.text = kQuestion}})}, 2},
          {"turns",
           {user({{.image = first}, {.text = "a photo of a cat"}, {.image = second}}),
            {.role = "assistant", .parts = {{.text = "three dogs."}}},
            user({{.text = "and a boat"}, {.image = first}, {.text = kQuestion}})},
           3}};
}

TEST(GoldenLlava, PicturesInterleavedWithText) {
  const GoldenFolder golden("llava");
  const auto model = load_model(golden.path(), DType::f32);
  const auto& llava = dynamic_cast<const LlavaModel&>(*model);
  for (int i = 0; i < 2; ++i) {
    const auto picture = golden.picture(i);
    expect_close(llava.prepare(*picture), golden.expected("pixels").slice(i, i + 1), 1e-6);
    expect_close(llava.read_picture(*picture), golden.expected("features").slice(i, i + 1));
  }
  for (const auto& [name, messages, pictures] : interleaved(golden)) {
    const std::vector<int64_t> rows(static_cast<size_t>(pictures), 16);
    EXPECT_EQ(llava.write_tokens(messages, rows), golden.ids(name + ".ids"));
    const auto session = model->start(messages);
    expect_close(as_tensor(session->logits()), last_row(golden.expected(name + ".logits")));
    expect_continuation(*session, golden.ids(name + ".tokens"));
  }
}

// Four conversations of different lengths in one pass give what each gives alone.
TEST(GoldenLlava, ABatchOfFour) {
  const NoGrad no_grad;
  const GoldenFolder golden("llava");
  const auto model = load_model(golden.path(), DType::f32);
  const auto& llava = dynamic_cast<const LlavaModel&>(*model);
  const Decoder& decoder = llava.decoder();
  const auto all = interleaved(golden);
  std::vector<Tensor> inputs;
  std::vector<std::vector<int32_t>> expected;
  ops::Sequences sequences{{0}};
  for (const size_t i : {size_t{0}, size_t{1}, size_t{2}, size_t{0}}) {
    const auto& [name, messages, pictures] = all[i];
    const std::vector<int64_t> rows(static_cast<size_t>(pictures), 16);
    std::vector<Tensor> features;
    for (const ChatMessage& message : messages) {
      for (const ChatPart& part : message.parts) {
        if (part.image) features.push_back(llava.read_picture(*part.image));
      }
    }
    inputs.push_back(llava.embed(llava.write_tokens(messages, rows), ops::concat_rows(features)));
    expected.push_back(golden.ids(name + ".tokens"));
    sequences.offsets.push_back(sequences.offsets.back() + static_cast<int32_t>(inputs.back().dim(0)));
  }
  const auto pool = std::make_shared<nn::KvPool>(decoder.cache_layout(DType::f32), size_t{64} << 20);
  std::vector<nn::KvCache> caches;
  for (size_t i = 0; i < inputs.size(); ++i) caches.emplace_back(pool, 512);
  std::vector<nn::KvCache*> pointers;
  for (nn::KvCache& cache : caches) pointers.push_back(&cache);
  Tensor hidden_TC = decoder.cached(ops::concat_rows(inputs), sequences, pointers);
  std::vector<int32_t> last;
  for (size_t i = 1; i < sequences.offsets.size(); ++i) last.push_back(sequences.offsets[i] - 1);
  hidden_TC = ops::gather_rows(hidden_TC, Tensor::from(last, {4}));
  const ops::Sequences steps{{0, 1, 2, 3, 4}};
  std::vector<std::vector<int32_t>> chosen(4);
  for (size_t step = 0; step < expected[0].size(); ++step) {
    const Tensor logits_TV = decoder.logits(hidden_TC);
    std::vector<int32_t> next;
    for (size_t i = 0; i < 4; ++i) {
      next.push_back(argmax(logits_TV.slice(static_cast<int64_t>(i), static_cast<int64_t>(i) + 1).span<float>()));
      chosen[i].push_back(next.back());
    }
    hidden_TC = decoder.cached(decoder.embed(Tensor::from(next, {4}), DType::f32), steps, pointers);
  }
  EXPECT_EQ(chosen, expected);
}

// Pixels, features, prompt, logits and continuation of each picture; the file leaves the pixels of the largest one out.
void expect_three_pictures(const GoldenFolder& golden, const LlavaModel& llava, int without_pixels) {
  for (int i = 0; i < 3; ++i) {
    const std::string number = std::to_string(i);
    const auto picture = golden.picture(i);
    if (i != without_pixels) expect_close(llava.prepare(*picture), golden.expected("pixels" + number), 1e-6);
    const Tensor features = llava.read_picture(*picture);
    expect_close(features, golden.expected("features" + number));
    const ChatMessage message = user({{.image = picture}, {.text = kQuestion}});
    const std::vector<int64_t> rows = {features.dim(0)};
    EXPECT_EQ(llava.write_tokens({&message, 1}, rows), golden.ids("ids" + number));
    const auto session = llava.start({&message, 1});
    expect_close(as_tensor(session->logits()), golden.expected("logits" + number));
    expect_continuation(*session, golden.ids("tokens" + number));
  }
}

TEST(GoldenLlava, AnyresTilesOfThreePictures) {
  const GoldenFolder golden("llava_next");
  const auto model = load_model(golden.path(), DType::f32);
  const auto& llava = dynamic_cast<const LlavaModel&>(*model);
  expect_three_pictures(golden, llava, 2);
  // Two of different grids in one turn, whose template writes pictures first.
  const ChatMessage two = user(
      {{.image = golden.picture(1)}, {.text = "Is it like this?"}, {.image = golden.picture(2)}, {.text = kQuestion}});
  const std::vector<int64_t> rows = {golden.expected("features1").dim(0), golden.expected("features2").dim(0)};
  EXPECT_EQ(llava.write_tokens({&two, 1}, rows), golden.ids("two.ids"));
  const auto session = model->start({&two, 1});
  expect_close(as_tensor(session->logits()), golden.expected("two.logits"));
  expect_continuation(*session, golden.ids("two.tokens"));
}

TEST(GoldenLlava, OnevisionShrinksAndReadsSeveralPicturesWhole) {
  const GoldenFolder golden("llava_onevision");
  const auto model = load_model(golden.path(), DType::f32);
  const auto& llava = dynamic_cast<const LlavaModel&>(*model);
  expect_three_pictures(golden, llava, 0);
  const ChatMessage two = user(
      {{.image = golden.picture(0)}, {.text = "Is it like this?"}, {.image = golden.picture(1)}, {.text = kQuestion}});
  for (int i = 0; i < 2; ++i) {
    expect_close(llava.prepare_whole(*golden.picture(i)), golden.expected("two.pixels").slice(i, i + 1), 1e-6);
  }
  const auto session = model->start({&two, 1});
  EXPECT_EQ(session->prompt_tokens(), static_cast<int64_t>(golden.ids("two.ids").size()));
  expect_close(as_tensor(session->logits()), golden.expected("two.logits"));
  expect_continuation(*session, golden.ids("two.tokens"));
}

// The file of a film: its frames are those that the reference was given.
TEST(GoldenLlava, OnevisionWatchesAFilm) {
  const GoldenFolder golden("llava_onevision");
  const TemporaryFolder folder;
  const std::filesystem::path film = folder.path() / "film.mkv";
  write_lossless_film(golden.path() / "frame%d.png", film);
  const ChatPart part = family_of(golden.path()).read_film(film, {}).at(0);
  ASSERT_EQ(part.frames.size(), 3u);
  const ChatMessage message = user({part, {.text = kQuestion}});
  const auto model = load_model(golden.path(), DType::f32);
  const auto session = model->start({&message, 1});
  expect_close(as_tensor(session->logits()), golden.expected("video.logits"));
  expect_continuation(*session, golden.ids("video.tokens"));
}

TEST(GoldenLlava, OnevisionTakesTheFramesOfALongFilmEvenly) {
  const TemporaryFolder folder;
  for (int i = 0; i < 80; ++i) {
    media::Image frame(16, 16, 3, static_cast<uint8_t>(3 * i));
    write_file_atomic(folder.path() / fmt::format("frame{}.png", i), media::encode_png(frame));
  }
  const std::filesystem::path film = folder.path() / "film.mkv";
  write_lossless_film(folder.path() / "frame%d.png", film);
  const ChatPart part = read_film_frames(film, {}).at(0);
  ASSERT_EQ(part.frames.size(), 32u);
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(part.frames[i]->pixels[0], 3 * (i * 80 / 32)) << i;
  const std::filesystem::path missing = folder.path() / "none.mp4";
  EXPECT_EQ(error_of([&] { read_film_frames(missing, {}); }).kind(), ErrorKind::not_found);
}

TEST(GoldenLlava, OnevisionReadsTheFramesOfAVideo) {
  const GoldenFolder golden("llava_onevision");
  const auto model = load_model(golden.path(), DType::f32);
  const auto& llava = dynamic_cast<const LlavaModel&>(*model);
  std::vector<std::shared_ptr<const media::Image>> frames;
  for (int i = 0; i < 3; ++i) {
    frames.push_back(std::make_shared<media::Image>(media::load_image(golden.path() / fmt::format("frame{}.png", i))));
  }
  const Tensor features = llava.read_video(frames);
  expect_close(features, golden.expected("video.features"));
  const ChatMessage message = user({{.frames = frames}, {.text = kQuestion}});
  const std::vector<int64_t> rows = {features.dim(0)};
  EXPECT_EQ(llava.write_tokens({&message, 1}, {}, rows), golden.ids("video.ids"));
  const auto session = model->start({&message, 1});
  expect_close(as_tensor(session->logits()), golden.expected("video.logits"));
  expect_continuation(*session, golden.ids("video.tokens"));
  const auto others = load_model(GoldenFolder("llava").path(), DType::f32);
  EXPECT_EQ(error_of([&] { others->start({&message, 1}); }).kind(), ErrorKind::unsupported);
}

}  // namespace
}  // namespace sensorium::models
