// Loading published checkpoints: layouts of names, files that do not fit, what users write into prompts.
#include <fmt/format.h>
#include <unistd.h>

#include <functional>
#include <map>

#include "base/file.h"
#include "io/safetensors.h"
#include "models/changed_folder.h"
#include "models/decoder/published.h"
#include "models/golden_folder.h"
#include "models/llava/model.h"
#include "models/llava_next/anyres.h"
#include "models/tiny_model.h"

namespace sensorium::models {
namespace {

bool replace_front(std::string& name, const std::string& from, const std::string& to) {
  if (!name.starts_with(from)) return false;
  name.replace(0, from.size(), to);
  return true;
}

// The same weights under the other layout's names give the same logits.
TEST(Published, LlavaNamesOfBothLayouts) {
  const GoldenFolder golden("llava");
  const ChatMessage message = user({{.image = golden.picture(0)}, {.text = kQuestion}});
  const std::vector<std::vector<std::pair<std::string, std::string>>> layouts = {
      {{"model.language_model.", "language_model.model."},
       {"lm_head.", "language_model.lm_head."},
       {"model.vision_tower.vision_model.", "vision_tower.vision_model."},
       {"model.vision_tower.", "vision_tower.vision_model."},
       {"model.multi_modal_projector.", "multi_modal_projector."}},
      {{"language_model.model.", "model.language_model."},
       {"language_model.lm_head.", "lm_head."},
       {"vision_tower.", "model.vision_tower."},
       {"multi_modal_projector.", "model.multi_modal_projector."}}};
  for (const auto& layout : layouts) {
    const ChangedFolder folder("llava");
    folder.rewrite([&](io::NamedTensor& tensor) {
      for (const auto& [from, to] : layout) {
        if (replace_front(tensor.name, from, to)) break;
      }
    });
    const auto session = load_model(folder.path(), DType::f32)->start({&message, 1});
    expect_close(as_tensor(session->logits()), last_row(golden.expected("one.logits")));
  }
}

TEST(Published, F16WeightsStayAsTheyAre) {
  const GoldenFolder golden("llama");
  const ChangedFolder folder("llama");
  folder.rewrite([](io::NamedTensor& tensor) { tensor.tensor = tensor.tensor.to(DType::f16); });
  const auto model = load_model(folder.path(), DType::f32);
  EXPECT_EQ(model->store().find("decoder.layers.0.attention.qkv.weight").value.dtype(), DType::f16);
  const ChatMessage message = user({{.text = kQuestion}});
  const auto session = model->start({&message, 1});
  expect_close(as_tensor(session->logits()), last_row(golden.expected("logits")), 5e-3);
}

// All that is wrong is said at once.
TEST(Published, ErrorsNameTheTensors) {
  const std::string name = "model.layers.1.self_attn.k_proj.weight";
  const ChangedFolder missing("llama"), misshapen("llama"), unexpected("llama"), all("llama");
  missing.rewrite([&](io::NamedTensor& tensor) {
    if (tensor.name == name) tensor.name.clear();
  });
  expect_contains(missing.error().message(), {name, "1 tensor is missing"});
  misshapen.rewrite([&](io::NamedTensor& tensor) {
    if (tensor.name == name) tensor.tensor = Tensor::zeros({24, 32});
  });
  expect_contains(misshapen.error().message(), {name, "[24, 32]", "[64, 32]"});
  unexpected.rewrite([](io::NamedTensor&) {}, {{"model.layers.7.mlp.extra.weight", Tensor::zeros({2})}});
  expect_contains(unexpected.error().message(), {"model.layers.7.mlp.extra.weight [2]", "not part of"});
  EXPECT_EQ(missing.error().kind(), ErrorKind::invalid_data);
  all.rewrite(
      [&](io::NamedTensor& tensor) {
        if (tensor.name.ends_with("norm.weight")) tensor.name.clear();
        if (tensor.name == name) tensor.tensor = Tensor::zeros({24, 32});
      },
      {{"extra", Tensor::zeros({2})}});
  expect_contains(all.error().message(),
                  {"5 tensors are missing", "1 tensor has another shape", "1 tensor is not part"});
  const Error few = error_of([&] { load_model(all.path(), LoadOptions{.listed_faults = 2}); });
  expect_contains(few.message(), {"5 tensors are missing", "and 3 more"});
}

TEST(Published, MemoryIsPredictedBeforeLoading) {
  const Error error = error_of([] { load_model(GoldenFolder("llama").path(), LoadOptions{.memory_limit = 100'000}); });
  EXPECT_EQ(error.kind(), ErrorKind::limit);
  expect_contains(error.message(), {"needs", "stay in the file", "100 KB are available"});
  EXPECT_NO_THROW(load_model(GoldenFolder("llama").path(), LoadOptions{.memory_limit = 10'000'000}));
}

TEST(Published, MorePicturesThanTheContextHolds) {
  const ChangedFolder folder("llava");
  folder.configure([](Json& config) { config["text_config"]["max_position_embeddings"] = 48; });
  const auto model = load_model(folder.path(), DType::f32);
  const auto picture = GoldenFolder("llava").picture(0);
  const ChatMessage message = user({{.image = picture}, {.image = picture}, {.image = picture}, {.text = kQuestion}});
  const Error error = error_of([&] { model->start({&message, 1}); });
  EXPECT_EQ(error.kind(), ErrorKind::limit);
  expect_contains(error.message(), {"3 pictures take 48 (16 + 16 + 16)", "context only 48"});
}

TEST(Published, ConfigurationsThatDoNotFit) {
  const auto error_with = [](const char* family, const std::function<void(Json&)>& change) {
    const ChangedFolder folder(family);
    folder.configure(change);
    return folder.error().message();
  };
  expect_contains(error_with("llama", [](Json& c) { c["rope_parameters"]["rope_type"] = "yarn"; }), {"yarn", "llama3"});
  expect_contains(error_with("llama", [](Json& c) { c["hidden_act"] = "gelu"; }), {"hidden_act", "silu"});
  expect_contains(error_with("llama", [](Json& c) { c["vocab_size"] = 100; }), {"tokenizer", "100", "another model"});
  expect_contains(error_with("llama", [](Json& c) { c["vocab_size"] = 700; }), {"320", "700", "another model"});
  expect_contains(error_with("llava", [](Json& c) { c["text_config"]["model_type"] = "lama"; }), {"lama", "llama"});
  expect_contains(error_with("llava", [](Json& c) { c["vision_feature_layer"] = -9; }), {"vision_feature_layer", "-9"});
  expect_contains(error_with("llava", [](Json& c) { c["image_token_index"] = 5; }), {"token 5"});
}

TEST(Published, MistralsWindowLimitsTheContext) {
  const Json with{{"sliding_window", 64}, {"max_position_embeddings", 512}};
  const DecoderFamily& mistral = decoder_family("mistral", "test");
  EXPECT_EQ(mistral.read(with, "test").context, 64);
  EXPECT_EQ(mistral.read({{"sliding_window", nullptr}, {"max_position_embeddings", 512}}, "test").context, 512);
  EXPECT_EQ(mistral.read(Json::object(), "test").context, 4096);
  EXPECT_EQ(mistral.read(Json::object(), "test").kv_heads, 8);
}

TEST(Published, AnotherModelsTokenizer) {
  const ChangedFolder ends("llama");
  std::filesystem::remove(ends.path() / "generation_config.json");
  ends.configure([](Json& config) { config["eos_token_id"] = 300; });
  expect_contains(ends.error().message(), {"token 300", "ordinary", "another model"});
  const ChangedFolder none("llama");
  std::filesystem::remove(none.path() / "tokenizer.json");
  expect_contains(none.error().message(), {"no tokenizer", "tokenizer.model"});
}

TEST(Published, TemplatesByNameAndFromFiles) {
  const GoldenFolder golden("llama");
  const auto prompt_tokens = [&](const std::string& chat_template) {
    const auto model = load_model(golden.path(), LoadOptions{.chat_template = chat_template});
    const ChatMessage message = user({{.text = kQuestion}});
    return model->start({&message, 1})->prompt_tokens();
  };
  EXPECT_EQ(prompt_tokens(""), golden.expected("ids").elements());
  EXPECT_GT(prompt_tokens("vicuna"), prompt_tokens(""));
  const ChangedFolder folder("llama");
  const std::filesystem::path file = folder.path() / "short.jinja";
  write_file_atomic(file, "{{ messages[0].content }}");
  EXPECT_LT(prompt_tokens(file.string()), prompt_tokens(""));
  const Error error = error_of([&] { prompt_tokens("vicunna"); });
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  expect_contains(error.message(), {"vicunna", "vicuna", "chatml"});
}

// A template for texts only gets pictures inside of the text, where the user cannot put them.
TEST(Published, PicturesInATemplateForTexts) {
  const ChangedFolder folder("llava");
  write_file_atomic(folder.path() / "chat_template.jinja",
                    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + ' ' }}{% endfor %}ASSISTANT:");
  const auto model = load_model(folder.path(), DType::f32);
  const auto& llava = dynamic_cast<const LlavaModel&>(*model);
  const auto picture = GoldenFolder("llava").picture(0);
  const ChatMessage message = user({{.text = "Look: <image>"},
                                    {.image = picture},
                                    {.text = "\xEE\x80\x80"
                                             "0"
                                             "\xEE\x80\x80 and"},
                                    {.image = picture}});
  const std::vector<int64_t> rows = {1, 1};
  const std::vector<int32_t> tokens = llava.write_tokens({&message, 1}, rows);
  EXPECT_EQ(std::count(tokens.begin(), tokens.end(), llava.config().image_token), 2);
  EXPECT_EQ(model->tokenizer().decode(tokens, text::DecodeSpecials::show),
            "<s> user: Look: <image><image> \n\xEE\x80\x80"
            "0"
            "\xEE\x80\x80 and<image> \n ASSISTANT:");
}

// What users write is text, also if it looks like a control token.
TEST(Published, ControlTokensInAQuestionStayText) {
  const GoldenFolder golden("llava");
  const auto model = load_model(golden.path(), DType::f32);
  const auto& llava = dynamic_cast<const LlavaModel&>(*model);
  const ChatMessage message = user({{.image = golden.picture(0)}, {.text = "What is <image> and </s>?"}});
  const std::vector<int64_t> rows = {16};
  const std::vector<int32_t> tokens = llava.write_tokens({&message, 1}, rows);
  EXPECT_EQ(std::count(tokens.begin(), tokens.end(), llava.config().image_token), 16);
  EXPECT_EQ(std::count(tokens.begin(), tokens.end(), *model->tokenizer().token_id("</s>")), 0);
  EXPECT_EQ(std::count(tokens.begin(), tokens.end(), *model->tokenizer().token_id("<s>")), 1);
}

TEST(Published, ContinuationsKeepTheirSpaces) {
  for (const char* family : {"llama", "mistral", "qwen2"}) {
    const auto model = load_model(GoldenFolder(family).path(), DType::f32);
    const std::vector<int32_t> tokens = model->tokenizer().encode(" dogs");
    std::string bytes;
    for (const int32_t token : tokens) bytes += model->tokenizer().token_bytes(token);
    ASSERT_TRUE(bytes.starts_with(' ')) << family;
    const auto goes_on = model->begin_tokens(model->encode_prompt("How many"));
    EXPECT_EQ(goes_on->read(tokens).text, bytes) << family;
    const auto stream = goes_on->fork()->stream();
    std::string streamed;
    for (const int32_t token : tokens) streamed += stream->push(token);
    EXPECT_EQ(streamed + stream->finish(), bytes) << family;
    const ChatMessage message = user({{.text = "How many"}});
    EXPECT_EQ(model->start({&message, 1})->read(tokens).text, "dogs") << family;
  }
}

TEST(Published, PromptsThatNothingCanGoOnWith) {
  const auto llama = load_model(GoldenFolder("llama").path()), llava = load_model(GoldenFolder("llava").path());
  const auto error = [](const Model& model, const std::vector<int32_t>& ids) {
    return error_of([&] { model.begin_tokens(ids); });
  };
  EXPECT_EQ(error(*llama, {}).kind(), ErrorKind::usage);
  for (const int32_t id : {-1, 1 << 20}) {
    EXPECT_EQ(error(*llama, {id}).kind(), ErrorKind::usage);
    expect_contains(error(*llama, {id}).message(), {std::to_string(id), "outside the vocabulary"});
  }
  EXPECT_EQ(error(*llama, std::vector<int32_t>(100'000, 5)).kind(), ErrorKind::limit);
  expect_contains(error(*llava, llava->encode_prompt("<image> a dog")).message(), {"a place for a picture"});
  EXPECT_EQ(error(*load_model(GoldenFolder("clip").path()), {1}).kind(), ErrorKind::unsupported);
}

TEST(Published, TextModelsRefusePictures) {
  const auto model = load_model(GoldenFolder("llama").path());
  const ChatMessage message = user({{.image = std::make_shared<media::Image>(tiny_image(1))}, {.text = kQuestion}});
  EXPECT_EQ(error_of([&] { model->start({&message, 1}); }).kind(), ErrorKind::usage);
}

TEST(Published, AnswersAreScoredAsTheyAreGenerated) {
  const auto model = load_model(GoldenFolder("llama").path(), DType::f32);
  const ChatMessage message = user({{.text = kQuestion}});
  const auto session = model->start({&message, 1});
  const std::vector<float> before(session->logits().begin(), session->logits().end());
  const std::vector<std::string> answers = {"three dogs", "a boat"};
  const std::vector<double> scores = session->score(answers);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), session->logits().begin()));
  for (size_t i = 0; i < answers.size(); ++i) {
    const auto fresh = model->start({&message, 1});
    double sum = 0;
    std::vector<int32_t> tokens = model->tokenizer().encode(answers[i]);
    tokens.push_back(2);  // </s>
    for (const int32_t token : tokens) {
      double total = 0;
      for (const float logit : fresh->logits()) total += std::exp(static_cast<double>(logit));
      sum += fresh->logits()[static_cast<size_t>(token)] - std::log(total);
      fresh->accept(token);
    }
    EXPECT_NEAR(scores[i], sum, 1e-3 * std::abs(sum));
  }
}

// Sizes from the reference's own arithmetic (tower of 336 pixels, 24 x 24 patches).
TEST(Anyres, GridsAndWindows) {
  const std::vector<Extent> pinpoints = {{336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008}};
  EXPECT_EQ(best_pinpoint({336, 336}, pinpoints), (Extent{336, 672}));  // a tie: the first
  EXPECT_EQ(best_pinpoint({899, 1024}, pinpoints), (Extent{672, 672}));
  EXPECT_EQ(best_pinpoint({300, 1200}, pinpoints), (Extent{336, 1008}));
  EXPECT_EQ(fit_into({899, 1024}, {672, 672}), (Extent{590, 672}));
  const Window whole = unpadded({48, 48}, {500, 500});
  EXPECT_EQ(whole.rows() * (whole.columns() + 1), 48 * 49);
  const Window wide = unpadded({24, 72}, {336, 1008});
  EXPECT_EQ(wide.rows() * (wide.columns() + 1), 24 * 73);
  const Window cut = unpadded({48, 48}, {899, 1024});  // 42.14 rows: 3 of each border are left out
  EXPECT_EQ(cut.top, 3);
  EXPECT_EQ(cut.bottom, 45);
}

}  // namespace
}  // namespace sensorium::models
