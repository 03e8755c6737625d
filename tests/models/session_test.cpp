// Sessions over one model: prompts found again, forks, several sessions in one pass, memory that runs out.
#include "models/decoder/session.h"

#include <cmath>
#include <set>

#include "models/golden_folder.h"
#include "models/picture_cache.h"
#include "models/sensorium/chat.h"
#include "models/tiny_model.h"

namespace sensorium::models {
namespace {

SensoriumConfig long_config() {
  SensoriumConfig config = tiny_config();
  config.decoder.context = 2048;
  return config;
}

std::string words(int count, uint64_t seed) {
  const std::vector<std::string> all = {"dog", "cat", "red", "how", "many", "three", "helmet", "head", "and", "are"};
  Rng rng(seed);
  std::string text;
  for (int i = 0; i < count; ++i) text += rng.pick(all) + " ";
  return text;
}

std::vector<float> floats(std::span<const float> values) { return {values.begin(), values.end()}; }
class Sessions : public ::testing::TestWithParam<DType> {
 protected:
  std::unique_ptr<SensoriumModel> model_ = tiny_model(1, long_config());
  // A chat that has read nothing yet.
  std::unique_ptr<Model> fresh() const { return wrap_sensorium(*model_, GetParam()); }
};

TEST_P(Sessions, APromptFoundAgainGivesTheSameBits) {
  const auto chat = fresh();
  const std::string text = words(150, 1);
  const std::vector<ChatMessage> first = {user({{text, nullptr}})};
  const auto once = chat->start(first), again = chat->start(first);
  EXPECT_EQ(once->reused_tokens(), 0);
  EXPECT_GT(again->reused_tokens(), 100);
  EXPECT_EQ(floats(once->logits()), floats(again->logits()));
  // The next turn begins with all that was said before.
  std::vector<ChatMessage> turns = first;
  turns.push_back({"assistant", {{words(40, 2), nullptr}}});
  turns.push_back(user({{words(30, 3), nullptr}}));
  const auto next = chat->start(turns), alone = fresh()->start(turns);
  EXPECT_GT(next->reused_tokens(), 100);
  EXPECT_EQ(alone->reused_tokens(), 0);
  EXPECT_EQ(floats(next->logits()), floats(alone->logits()));
  // What differs early shares nothing.
  EXPECT_EQ(chat->start(std::vector<ChatMessage>{user({{"cat " + text, nullptr}})})->reused_tokens(), 0);
}

// Sixteen tokens at a time, and whatever others wrote behind them meanwhile.
TEST_P(Sessions, ShortPromptsAreFoundAgainToo) {
  const auto chat = fresh();
  const std::string picture_of = words(20, 1);
  const auto ask = [&](const Model& model, const std::string& question) {
    return model.start(std::vector<ChatMessage>{user({{picture_of + question, nullptr}})});
  };
  const auto once = ask(*chat, "how many dogs are there?");
  ASSERT_LT(once->prompt_tokens(), nn::KvLayout::kBlockTokens);
  for (int i = 0; i < 3; ++i) once->accept(40);
  const std::vector<float> said = floats(once->logits());
  const auto other = ask(*chat, "three red cats and a helmet?");
  EXPECT_GE(other->reused_tokens(), 16);
  EXPECT_LE(other->reused_tokens(), other->prompt_tokens() - 16);
  EXPECT_EQ(floats(other->logits()), floats(ask(*fresh(), "three red cats and a helmet?")->logits()));
  for (int i = 0; i < 3; ++i) other->accept(41);
  // Nobody wrote into what the others read.
  const auto again = ask(*chat, "how many dogs are there?"), alone = ask(*fresh(), "how many dogs are there?");
  EXPECT_GE(again->reused_tokens(), 16);
  EXPECT_EQ(floats(again->logits()), floats(alone->logits()));
  for (int i = 0; i < 3; ++i) again->accept(40);
  EXPECT_EQ(floats(again->logits()), said);
  EXPECT_EQ(floats(once->logits()), said);
}

TEST_P(Sessions, PromptsReadInPartsGiveTheSameBits) {
  const std::vector<ChatMessage> prompt = {user({{words(300, 1), nullptr}})};
  const auto chat = fresh();
  const auto whole = chat->start(prompt);
  for (const int64_t rows : {1, 16, 50, 64, 200, 5000}) {
    const auto other = fresh();
    const auto parts = other->begin(prompt);
    int64_t calls = 1;
    while (!parts->read_prompt(rows)) ++calls;
    EXPECT_GE(calls, rows >= 5000 ? 1 : parts->prompt_tokens() / (rows + 16)) << rows;
    EXPECT_EQ(floats(parts->logits()), floats(whole->logits())) << rows;
  }
}

TEST_P(Sessions, PromptsReadAtTheSameTimeShareWhatTheyCan) {
  const std::vector<ChatMessage> prompt = {user({{words(300, 1), nullptr}})};
  const auto chat = fresh();
  const auto first = chat->begin(prompt), second = chat->begin(prompt);
  bool first_done = false, second_done = false;
  while (!first_done || !second_done) {
    first_done = first_done || first->read_prompt(64);
    second_done = second_done || second->read_prompt(64);
  }
  // By turns: each takes what the other has just read.
  EXPECT_GT(first->reused_tokens() + second->reused_tokens(), 200);
  EXPECT_EQ(floats(first->logits()), floats(second->logits()));
}

TEST_P(Sessions, PicturesAreFoundByTheirContent) {
  const auto chat = fresh();
  const auto picture = [](uint64_t seed) { return std::make_shared<media::Image>(tiny_image(seed, 64, 64)); };
  const std::string text = words(150, 1);
  const auto ask = [&](const Model& model, const std::shared_ptr<media::Image>& image) {
    return model.start(std::vector<ChatMessage>{user({{{}, image}, {text, nullptr}})});
  };
  const auto once = ask(*chat, picture(1)), again = ask(*chat, picture(1)), other = ask(*chat, picture(2));
  EXPECT_GT(again->reused_tokens(), 100);
  EXPECT_EQ(other->reused_tokens(), 0);
  EXPECT_EQ(floats(once->logits()), floats(again->logits()));
  const auto model = fresh();
  EXPECT_EQ(floats(other->logits()), floats(ask(*model, picture(2))->logits()));
}

TEST_P(Sessions, ForksGoTheirOwnWays) {
  const auto chat = fresh();
  const std::vector<ChatMessage> prompt = {user({{words(70, 1), nullptr}})};
  const auto first = chat->start(prompt);
  first->accept(40);
  const auto fork = first->fork();
  EXPECT_EQ(floats(first->logits()), floats(fork->logits()));
  for (const int32_t token : {50, 51, 52}) first->accept(token);
  for (const int32_t token : {60, 61}) fork->accept(token);
  const auto alone = fresh()->start(prompt);
  for (const int32_t token : {40, 60, 61}) alone->accept(token);
  EXPECT_EQ(floats(fork->logits()), floats(alone->logits()));
  EXPECT_NE(floats(fork->logits()), floats(first->logits()));
}

TEST_P(Sessions, SeveralInOnePassSayWhatEachWouldSay) {
  const auto chat = fresh(), other = fresh();
  for (const int count : {3, 7}) {
    std::vector<std::unique_ptr<ChatSession>> together, alone;
    for (int i = 0; i < count; ++i) {
      const std::vector<ChatMessage> prompt = {user({{words(20 + 30 * i, static_cast<uint64_t>(i)), nullptr}})};
      together.push_back(chat->start(prompt));
      alone.push_back(other->start(prompt));
    }
    std::vector<ChatSession*> sessions;
    for (const auto& session : together) sessions.push_back(session.get());
    for (int step = 0; step < 20; ++step) {
      std::vector<int32_t> tokens;
      for (const ChatSession* session : sessions) tokens.push_back(argmax(session->logits()));
      sessions.front()->accept_all(sessions, tokens);
      for (size_t i = 0; i < alone.size(); ++i) {
        ASSERT_EQ(argmax(alone[i]->logits()), tokens[i]);
        alone[i]->accept(tokens[i]);
        // Up to four rows, products add up in the same order.
        if (count <= 4) {
          EXPECT_EQ(floats(alone[i]->logits()), floats(sessions[i]->logits()));
        }
      }
    }
  }
  const auto model = tiny_model(2, long_config());
  const auto stranger = wrap_sensorium(*model, GetParam());
  const std::vector<ChatMessage> prompt = {user({{"dog", nullptr}})};
  const auto here = chat->start(prompt), there = stranger->start(prompt);
  ChatSession* const mixed[] = {here.get(), there.get()};
  const int32_t tokens[] = {40, 40};
  EXPECT_EQ(error_of([&] { here->accept_all(mixed, tokens); }).kind(), ErrorKind::usage);
}

TEST_P(Sessions, OldPromptsMakeRoomForNewOnes) {
  const auto chat = fresh();
  const size_t block = model_->decoder().cache_layout(GetParam()).block_bytes();
  chat->configure_cache({.max_bytes = 8 * block});
  for (uint64_t round = 0; round < 12; ++round) {
    const std::vector<ChatMessage> prompt = {user({{words(120, round % 6), nullptr}})};
    const auto session = chat->start(prompt);
    for (int i = 0; i < 5; ++i) session->accept(40);
    const auto alone = fresh()->start(prompt);
    for (int i = 0; i < 5; ++i) alone->accept(40);
    EXPECT_EQ(floats(session->logits()), floats(alone->logits())) << round;
  }
  const auto kept = chat->start(std::vector<ChatMessage>{user({{words(350, 20), nullptr}})});
  const Error error = error_of([&] { chat->start(std::vector<ChatMessage>{user({{words(350, 21), nullptr}})}); });
  EXPECT_EQ(error.kind(), ErrorKind::limit);
  expect_contains(error.message(), {"cache", std::to_string(8 * block)});
}

INSTANTIATE_TEST_SUITE_P(Types, Sessions, testing::Values(DType::f32, DType::bf16),
                         [](const auto& type) { return std::string(name_of(type.param)); });

TEST(DecoderSession, LongPromptsGoThroughInParts) {
  const NoGrad no_grad;
  const auto model = tiny_model(1, long_config());
  const Decoder& decoder = model->decoder();
  Rng rng(3);
  std::vector<int32_t> ids;
  for (int i = 0; i < 1400; ++i) ids.push_back(static_cast<int32_t>(rng.below(1300)));
  const Tensor x_TC = decoder.embed(Tensor::from(ids, {1400}), DType::f32);
  const Tensor hidden_TC = decoder(x_TC, {{0, 1400}});
  DecoderCache cache;
  DecoderSession session(decoder, model->tokenizer(), cache.pool(decoder, DType::f32),
                         {.compute = DType::f32, .capacity = 1500, .end_tokens = {}});
  session.set_prompt({x_TC, ids, {}});
  EXPECT_FALSE(session.read_prompt(512));
  while (!session.read_prompt(512)) {
  }
  expect_close(as_tensor(session.logits()), decoder.logits(hidden_TC.slice(1399, 1400)), 1e-5);
  EXPECT_EQ(session.prompt_tokens(), 1400);
  EXPECT_EQ(session.room(), 100);
}

// As a model is loaded: its matrices in the kernels' order. A row's sums do not depend on the other rows then, however many.
TEST(DecoderSession, APackedDecoderComputesTheSame) {
  const auto dense = tiny_model(1, long_config()), packed = tiny_model(1, long_config());
  packed->decoder().pack();
  EXPECT_FALSE(packed->decoder().output_embedding().defined());
  packed->decoder().for_each_linear(
      [](const std::string& name, nn::Linear& linear) { EXPECT_TRUE(linear.packed.defined()) << name; });
  const auto plain = wrap_sensorium(*dense, DType::bf16), chat = wrap_sensorium(*packed, DType::bf16);
  std::vector<std::unique_ptr<ChatSession>> together, alone;
  std::vector<ChatSession*> sessions;
  for (int i = 0; i < 7; ++i) {
    const std::vector<ChatMessage> prompt = {user({{words(20 + 30 * i, static_cast<uint64_t>(i)), nullptr}})};
    together.push_back(chat->start(prompt));
    alone.push_back(chat->start(prompt));
    sessions.push_back(together.back().get());
    expect_close(as_tensor(together.back()->logits()), as_tensor(plain->start(prompt)->logits()), 0.02);
  }
  for (int32_t step = 0; step < 5; ++step) {
    const std::vector<int32_t> tokens(sessions.size(), 40 + step);
    sessions.front()->accept_all(sessions, tokens);
    for (size_t i = 0; i < alone.size(); ++i) {
      alone[i]->accept(tokens[i]);
      EXPECT_EQ(floats(alone[i]->logits()), floats(sessions[i]->logits())) << i;
    }
  }
}

TEST(DecoderSession, BytesInTheCacheAreNearFloats) {
  const auto model = tiny_model(1, long_config());
  const auto exact = wrap_sensorium(*model, DType::f32), bytes = wrap_sensorium(*model, DType::f32);
  bytes->configure_cache({.dtype = DType::i8});
  const std::vector<ChatMessage> prompt = {user({{words(200, 1), nullptr}})};
  const auto want = exact->start(prompt), got = bytes->start(prompt), again = bytes->start(prompt);
  EXPECT_EQ(floats(got->logits()), floats(again->logits()));
  for (int i = 0; i < 10; ++i) {
    expect_close(as_tensor(got->logits()), as_tensor(want->logits()), 0.02);
    got->accept(50 + i);
    want->accept(50 + i);
  }
}

// Text that comes token by token is the text of all tokens.
TEST(AnswerStream, TellsWhatReadReads) {
  const auto native = tiny_model(1, long_config());
  std::vector<std::unique_ptr<Model>> models;
  models.push_back(wrap_sensorium(*native, DType::f32));
  models.push_back(load_model(GoldenFolder("llama").path(), DType::f32));
  models.push_back(load_model(GoldenFolder("qwen2").path(), DType::f32));
  const int32_t location0 = native->prompt().special().location0;
  Rng rng(5);
  for (const auto& model : models) {
    const auto session = model->start(std::vector<ChatMessage>{user({{"dog", nullptr}})});
    for (int round = 0; round < 200; ++round) {
      std::vector<int32_t> tokens;
      if (model != models.front()) {
        // Tokens that are bytes of characters which the vocabulary lacks, as they come in a text. (Of bytes that are none, the
        // decoder of such a tokenizer replaces more than the one that a stream has to decide about.)
        const std::vector<std::string> parts = {"dog", " ",  "  cats",      "\xC3\xA9", "\xF0\x9F\x98\x80",
                                                "\n",  "x1", "\xE4\xBD\xA0"};
        std::string said;
        for (int64_t i = rng.integer(0, 12); i > 0; --i) said += rng.pick(parts);
        tokens = model->tokenizer().encode(said);
      }
      for (int64_t i = model == models.front() ? rng.integer(0, 25) : 0; i > 0; --i) {
        if (rng.chance(0.3)) {
          // Boxes, and parts of them.
          for (int64_t k = rng.integer(1, 5); k > 0; --k) {
            tokens.push_back(location0 + static_cast<int32_t>(rng.below(1000)));
          }
        } else {
          tokens.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(model->tokenizer().vocab_size()))));
        }
      }
      const auto stream = session->stream();
      std::string text;
      for (const int32_t token : tokens) {
        text += stream->push(token);
        ASSERT_EQ(find_invalid_utf8(text), std::string::npos);
      }
      text += stream->finish();
      EXPECT_EQ(text, session->read(tokens).text);
    }
  }
}

TEST(PromptRows, KeysNameAllThatComesBefore) {
  PromptRows prompt;
  for (int32_t i = 0; i < 200; ++i) prompt.tokens.push_back(i);
  const std::vector<nn::KvKey> plain = prompt_keys(prompt);
  EXPECT_EQ(std::set<nn::KvKey>(plain.begin(), plain.end()).size(), 12u);  // of 16, 32 .. 192 rows
  PromptRows changed = prompt;
  changed.tokens[70] = 1;
  const std::vector<nn::KvKey> other = prompt_keys(changed);
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(other[i] == plain[i], i < 4) << i;
  // A picture over the border of two parts: its content and the place of each row count.
  const auto with_picture = [&](int64_t begin, int64_t end, const std::string& content) {
    PromptRows rows = prompt;
    std::fill(rows.tokens.begin() + 50, rows.tokens.begin() + 80, -1);
    rows.pictures.push_back({begin, end, sha256(content)});
    return prompt_keys(rows);
  };
  const std::vector<nn::KvKey> picture = with_picture(50, 80, "a");
  EXPECT_EQ(picture, with_picture(50, 80, "a"));
  EXPECT_EQ(picture[2], with_picture(50, 80, "b")[2]);
  EXPECT_NE(picture[3], with_picture(50, 80, "b")[3]);
  EXPECT_NE(picture[4], with_picture(50, 80, "b")[4]);
  EXPECT_NE(picture[3], with_picture(49, 80, "a")[3]);
  EXPECT_EQ(error_of([&] { with_picture(50, 79, "a"); }).kind(), ErrorKind::shape);
}

TEST(PictureCache, KnowsPicturesByTheirContent) {
  PictureCache<std::string> cache([](const std::string& value) { return value.size(); }, 25);
  int computed = 0;
  const auto get = [&](uint64_t seed) {
    return cache.get(std::make_shared<media::Image>(tiny_image(seed)), [&](const media::Image&) {
      ++computed;
      return std::string(10, 'x');
    });
  };
  const auto one = get(1);
  EXPECT_EQ(get(1).value, one.value);
  EXPECT_EQ(get(1).content, content_digest(tiny_image(1)));
  EXPECT_EQ(computed, 1);
  get(2);
  get(1);
  get(3);  // 30 bytes: the picture used longest ago goes
  EXPECT_EQ(computed, 3);
  get(1);
  EXPECT_EQ(computed, 3);
  get(2);
  EXPECT_EQ(computed, 4);
  // The same pixels in another shape are another picture.
  media::Image wide(4, 2), high(2, 4);
  EXPECT_NE(content_digest(wide), content_digest(high));
}

}  // namespace
}  // namespace sensorium::models
