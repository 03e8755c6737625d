// Published models that learn from conversations: what they are taught is what their sessions are asked for.
#include "models/learner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "models/changed_folder.h"
#include "models/golden_folder.h"
#include "models/quantize.h"
#include "temporary_folder.h"

namespace sensorium::models {
namespace {

namespace fs = std::filesystem;

ChatMessage says(const std::string& text) { return {.role = "assistant", .parts = {{.text = text}}}; }

LearnerOptions options(std::vector<std::string> trained, const std::string& chat_template = "") {
  LearnerOptions result;
  result.load = {.compute = DType::f32, .chat_template = chat_template, .trained = std::move(trained)};
  return result;
}
LearnerOptions with_lora(LearnerOptions result, int64_t rank = 4, double dropout = 0) {
  result.lora = LoraConfig{.rank = rank, .alpha = 8, .dropout = dropout};
  return result;
}

int64_t learned(const LearnedConversation& conversation) {
  return std::ranges::count_if(conversation.weights, [](float weight) { return weight > 0; });
}

// A step of plain gradient descent.
void descend(Learner& learner, float rate) {
  for (nn::Parameter& parameter : learner.store().parameters()) {
    const Tensor grad = parameter.value.grad();
    if (!grad.defined()) continue;
    for (int64_t i = 0; i < grad.elements(); ++i) parameter.value.data<float>()[i] -= rate * grad.data<float>()[i];
    parameter.value.clear_grad();
  }
}

struct Family {
  const char* name;
  const char* chat_template;
};
class LearnerFamilies : public ::testing::TestWithParam<Family> {
 protected:
  // A question about each picture and one about two at once.
  static std::vector<std::vector<ChatMessage>> conversations(const GoldenFolder& golden) {
    return {{user({{.image = golden.picture(0)}, {.text = kQuestion}}), says("three dogs")},
            {user({{.image = golden.picture(1)}, {.text = kQuestion}}), says("a red boat, two cats")},
            {user({{.image = golden.picture(0)}, {.image = golden.picture(1)}, {.text = kQuestion}}), says("no")},
            {user({{.text = kQuestion}}), says("three")}};
  }
};

// The loss of a conversation is what a session says of its answer; that of a batch, the mean over all answers' tokens.
TEST_P(LearnerFamilies, TheLossIsTheSessionsScore) {
  const GoldenFolder golden(GetParam().name);
  const auto model =
      load_model(golden.path(), LoadOptions{.compute = DType::f32, .chat_template = GetParam().chat_template});
  const auto learner = load_learner(golden.path(), options({"projector.*"}, GetParam().chat_template));
  std::vector<LearnedConversation> batch;
  double total = 0;
  int64_t tokens = 0;
  for (const std::vector<ChatMessage>& turns : conversations(golden)) {
    batch.push_back(learner->prepare(turns, 512));
    const auto session = model->start(std::span(turns).first(1));
    const std::string answer = turns[1].parts[0].text;
    const double expected = -session->score({&answer, 1})[0];
    const int64_t count = learned(batch.back());
    // Nothing but a new line stands behind the end of the answer.
    const int64_t behind = static_cast<int64_t>(batch.back().ids.size()) - session->prompt_tokens() - count;
    EXPECT_EQ(behind, std::string(GetParam().chat_template) == "qwen" ? 1 : 0);
    EXPECT_NEAR(learner->loss({&batch.back(), 1}, 0).item() * static_cast<double>(count), expected, 1e-3 * expected);
    total += expected;
    tokens += count;
  }
  EXPECT_NEAR(learner->loss(batch, 0).item(), total / static_cast<double>(tokens), 1e-3 * total / tokens);
}

// Gradients of every part agree with the change of the loss along them.
TEST_P(LearnerFamilies, GradientsPredictTheLoss) {
  const GoldenFolder golden(GetParam().name);
  for (const bool checkpointing : {false, true}) {
    for (const char* part : {"vision.*", "projector.*", "decoder.*"}) {
      LearnerOptions wanted = options({part}, GetParam().chat_template);
      wanted.checkpointing = checkpointing;
      const auto learner = load_learner(golden.path(), wanted);
      std::vector<LearnedConversation> batch;
      for (const auto& turns : conversations(golden)) batch.push_back(learner->prepare(turns, 512));
      const Tensor loss = learner->loss(batch, 0);
      backward(loss);
      double squares = 0;
      for (const nn::Parameter& parameter : learner->store().parameters()) {
        if (!parameter.value.grad().defined()) continue;
        for (const float g : parameter.value.grad().to_floats()) squares += static_cast<double>(g) * g;
      }
      ASSERT_GT(squares, 0) << part;
      const double step = 2e-3 / squares * loss.item();  // the loss should fall by 0.2 %
      descend(*learner, static_cast<float>(step));
      const NoGrad no_grad;
      const double change = static_cast<double>(loss.item()) - learner->loss(batch, 0).item();
      EXPECT_NEAR(change, step * squares, 0.1 * step * squares) << part << " checkpointing " << checkpointing;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Llava, LearnerFamilies,
                         ::testing::Values(Family{"llava", ""}, Family{"llava_next", ""},
                                           Family{"llava_onevision", "qwen"}),
                         [](const auto& family) { return std::string(family.param.name); });

TEST(Learner, TextModelsLearnToo) {
  for (const char* family : {"llama", "mistral", "qwen2"}) {
    SCOPED_TRACE(family);
    const std::vector<ChatMessage> turns = {user({{.text = kQuestion}}), says("three dogs")};
    const std::string answer = "three dogs";
    const auto learner = load_learner(golden_path(family), with_lora(options({})));
    const LearnedConversation one = learner->prepare(turns, 512);
    const auto count = static_cast<double>(learned(one));
    const auto score = [&](const fs::path& adapter) {
      const auto model = load_model(golden_path(family), LoadOptions{.compute = DType::f32, .adapter = adapter});
      return -model->start(std::span(turns).first(1))->score({&answer, 1})[0] / count;
    };
    const double before = score("");
    EXPECT_NEAR(learner->loss({&one, 1}, 0).item(), before, 1e-3 * before);
    for (int step = 0; step < 5; ++step) {
      backward(learner->loss({&one, 1}, 0));
      descend(*learner, 0.02f);
    }
    const TemporaryFolder out;
    learner->save(out.path());
    const double after = learner->loss({&one, 1}, 0).item();
    EXPECT_LT(after, 0.95 * before);
    EXPECT_NEAR(score(out.path()), after, 1e-3 * after);
  }
}

TEST(Learner, OnlyAnswersAreLearnedAndTheLastOneEnds) {
  const GoldenFolder golden("llava");
  const auto learner = load_learner(golden.path(), options({"projector.*"}));
  const std::vector<ChatMessage> turns = {user({{.image = golden.picture(0)}, {.text = kQuestion}}),
                                          says("three dogs."), user({{.text = "and a boat?"}}), says("two  ")};
  const LearnedConversation conversation = learner->prepare(turns, 512);
  ASSERT_EQ(conversation.pictures.size(), 1u);
  std::vector<int32_t> said;
  for (size_t i = 0; i < conversation.ids.size(); ++i) {
    if (conversation.weights[i] > 0) said.push_back(conversation.ids[i]);
  }
  const auto model = load_model(golden.path());
  // The template has no end token: one stands behind the last answer, without the blanks before it.
  EXPECT_EQ(model->tokenizer().decode(said, text::DecodeSpecials::show), "three dogs. two</s>");
  EXPECT_EQ(conversation.ids.back(), 2);
}

TEST(Learner, ThePlainTemplateLearnsTheCaptionAlone) {
  const GoldenFolder golden("llava");
  const auto learner = load_learner(golden.path(), options({"projector.*"}, "plain"));
  const LearnedConversation conversation = learner->prepare(
      std::vector{user({{.image = golden.picture(0)}, {.text = "Describe it."}}), says("a red boat")}, 512);
  const auto model = load_model(golden.path());
  const std::vector<int32_t> caption(conversation.ids.begin() + 17, conversation.ids.end());
  EXPECT_EQ(conversation.ids[0], 1);
  EXPECT_EQ(model->tokenizer().decode(caption, text::DecodeSpecials::show), "a red boat\n");
  EXPECT_EQ(learned(conversation), static_cast<int64_t>(caption.size()));
}

TEST(Learner, LongConversationsAreCutButNoPictureIs) {
  const GoldenFolder golden("llava");
  const auto learner = load_learner(golden.path(), options({"projector.*"}));
  const std::vector<ChatMessage> turns = {user({{.image = golden.picture(0)}, {.text = kQuestion}}),
                                          says("three dogs.")};
  const LearnedConversation whole = learner->prepare(turns, 512);
  const auto length = static_cast<int64_t>(whole.ids.size());
  const LearnedConversation shorter = learner->prepare(turns, length - 2);
  EXPECT_TRUE(std::ranges::equal(shorter.ids, std::span(whole.ids).first(shorter.ids.size())));
  EXPECT_EQ(static_cast<int64_t>(shorter.ids.size()), length - 2);
  EXPECT_TRUE(shorter.teaches());
  EXPECT_FALSE(learner->prepare(turns, length - learned(whole)).teaches());
  EXPECT_TRUE(learner->prepare(turns, 10).ids.empty());
}

TEST(Learner, WhatTrainsIsF32AndTheRestStaysInTheFile) {
  const ChangedFolder folder("llava");
  folder.rewrite([](io::NamedTensor& tensor) { tensor.tensor = tensor.tensor.to(DType::f16); });
  const auto learner = load_learner(folder.path(), options({"projector.*", "decoder.layers.1.*"}));
  for (const nn::Parameter& parameter : learner->store().parameters()) {
    const bool trains = parameter.name.starts_with("projector.") || parameter.name.starts_with("decoder.layers.1.");
    EXPECT_EQ(parameter.value.requires_grad(), trains) << parameter.name;
    const bool matrix = parameter.value.rank() > 1;
    EXPECT_EQ(parameter.value.dtype(), trains || !matrix ? DType::f32 : DType::f16) << parameter.name;
  }
  const GoldenFolder golden("llava");
  const LearnedConversation one =
      learner->prepare(std::vector{user({{.image = golden.picture(0)}, {.text = kQuestion}}), says("three")}, 512);
  backward(learner->loss({&one, 1}, 0));
  descend(*learner, 0.01f);
  const TemporaryFolder out;
  learner->save(out.path());
  const io::SafetensorsFile saved = io::SafetensorsFile::open(out.path() / "model.safetensors");
  const io::SafetensorsFile base = io::SafetensorsFile::open(folder.path() / "model.safetensors");
  ASSERT_EQ(saved.names(), base.names());
  int changed = 0;
  for (const std::string& name : saved.names()) {
    EXPECT_EQ(saved.tensor(name).dtype(), DType::f16) << name;
    const bool same = saved.tensor(name).to_floats() == base.tensor(name).to_floats();
    const bool trains = name.find("multi_modal_projector") != std::string::npos ||
                        (name.find("vision") == std::string::npos && name.find(".layers.1.") != std::string::npos);
    EXPECT_EQ(same, !trains) << name;
    changed += same ? 0 : 1;
  }
  EXPECT_EQ(changed, 4 + 9);
  const auto session = load_model(out.path())->start(std::vector{user({{.image = golden.picture(0)}, {.text = "?"}})});
  EXPECT_TRUE(std::isfinite(session->logits()[0]));
}

// The base stays packed, the projector is unpacked as it trains; the adapter goes beside packed matrices and into plain ones.
TEST(Learner, AdaptersOfPackedBases) {
  const GoldenFolder golden("llava");
  for (const char* type : {"q8/32", "q4/32"}) {
    const TemporaryFolder out;
    const fs::path base = out.path() / "base", adapter = out.path() / "adapter";
    fs::create_directories(adapter);
    quantize_model(golden.path(), base, {.type = type, .towers = "q8/32"});
    const auto learner = load_learner(base, with_lora(options({"projector.*"})));
    EXPECT_EQ(learner->result(), "adapter");
    const std::vector<ChatMessage> turns = {user({{.image = golden.picture(0)}, {.text = kQuestion}}),
                                            says("three dogs")};
    const LearnedConversation one = learner->prepare(turns, 512);
    const double before = learner->loss({&one, 1}, 0).item();
    for (int step = 0; step < 8; ++step) {
      backward(learner->loss({&one, 1}, 0));
      descend(*learner, 0.02f);
    }
    const double after = learner->loss({&one, 1}, 0).item();
    EXPECT_LT(after, 0.9 * before);
    learner->save(adapter);
    const auto adapted = load_model(base, LoadOptions{.compute = DType::f32, .adapter = adapter});
    const std::string answer = "three dogs";
    const double score = -adapted->start(std::span(turns).first(1))->score({&answer, 1})[0];
    // Sessions round activations of the output matrix to 8 bits, training reads its values.
    EXPECT_NEAR(score / static_cast<double>(learned(one)), after, 0.05 * before) << type;
    const auto plain = load_model(golden.path(), LoadOptions{.compute = DType::f32, .adapter = adapter});
    EXPECT_LT(-plain->start(std::span(turns).first(1))->score({&answer, 1})[0] / static_cast<double>(learned(one)),
              before);
  }
}

TEST(Learner, DropoutFollowsTheSeedAlsoWhenBlocksRunAgain) {
  const GoldenFolder golden("llava");
  const std::vector<ChatMessage> turns = {user({{.image = golden.picture(0)}, {.text = kQuestion}}),
                                          says("three dogs")};
  std::vector<std::vector<float>> grads;
  for (const bool checkpointing : {false, true}) {
    LearnerOptions wanted = with_lora(options({}), 4, 0.3);
    wanted.checkpointing = checkpointing;
    const auto learner = load_learner(golden.path(), wanted);
    const LearnedConversation one = learner->prepare(turns, 512);
    Rng rng(3);
    for (nn::Parameter& parameter : learner->store().parameters()) {
      if (parameter.name.ends_with(".b")) parameter.value.copy_from(Tensor::randn(parameter.value.shape(), rng, 0.1f));
    }
    const float first = learner->loss({&one, 1}, 5).item();
    EXPECT_NE(first, learner->loss({&one, 1}, 6).item());
    const Tensor again = learner->loss({&one, 1}, 5);
    EXPECT_EQ(first, again.item());
    backward(again);
    grads.push_back(learner->store().find("lora.layers.0.self_attn.q_proj.a").value.grad().to_floats());
  }
  EXPECT_EQ(grads[0], grads[1]);
}

TEST(Learner, RefusesWhatCannotTrain) {
  const auto refused = [](const std::string& family, const LearnerOptions& wanted) {
    return error_of([&] { load_learner(golden_path(family), wanted); });
  };
  const Error clip = refused("clip", options({"*"}));
  EXPECT_EQ(clip.kind(), ErrorKind::unsupported);
  expect_contains(clip.message(), {"clip"});
  expect_contains(refused("llava", options({"projecter.*"})).message(), {"trainable"});
  expect_contains(refused("llava", options({})).message(), {"nothing trains"});
  expect_contains(refused("llava", with_lora(options({"decoder.norm.weight"}))).message(),
                  {"decoder.norm.weight", "projector."});
  LearnerOptions misspelt = with_lora(options({}));
  misspelt.lora->targets = {"q_proj", "query"};
  expect_contains(refused("llava", misspelt).message(), {"query", "q_proj, k_proj, v_proj, o_proj"});
  LearnerOptions other_rank = with_lora(options({}), 8);
  other_rank.lora->targets = {"q_proj", "v_proj", "down_proj"};
  other_rank.adapter = golden_path("llava_adapter");
  expect_contains(refused("llava", other_rank).message(), {"layers.0.", "[8, 32]"});
  expect_contains(refused("llava_original", options({"projector.*"})).message(), {"Hugging Face"});
  LearnerOptions small = options({"*"});
  small.load.memory_limit = 100000;
  const Error limit = refused("llava", small);
  EXPECT_EQ(limit.kind(), ErrorKind::limit);
  expect_contains(limit.message(), {"million parameters that train", "lora"});
}

}  // namespace
}  // namespace sensorium::models
