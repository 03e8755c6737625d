// The scheduler alone, with a model that takes its time: what long prompts and tasks do to the answers of others.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "eval/fake_model.h"
#include "server/http_client.h"
#include "server/scheduling/scheduler.h"
#include "text/grammar/json_schema.h"

namespace sensorium::server {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

std::atomic<int64_t> rows_read{0};

// A prompt of as many tokens as its text has bytes, each read in 250 us; every token of the answer takes 5 ms.
class SlowSession : public eval::FakeSession {
 public:
  explicit SlowSession(int64_t rows) : FakeSession({.text = std::string(400, 'a'), .boxes = {}}, 0), rows_(rows) {}
  bool read_prompt(int64_t most_rows) override {
    const int64_t rows = std::min(most_rows, rows_ - read_);
    std::this_thread::sleep_for(microseconds(250) * rows);
    read_ += rows;
    rows_read += rows;
    return read_ == rows_;
  }
  int64_t prompt_tokens() const override { return rows_; }
  void accept(int32_t token) override {
    std::this_thread::sleep_for(milliseconds(5));
    FakeSession::accept(token);
  }

 private:
  int64_t rows_, read_ = 0;
};

class SlowModel : public eval::FakeModel {
 public:
  SlowModel() : FakeModel({}) {}
  std::unique_ptr<models::ChatSession> begin(std::span<const models::ChatMessage> messages) const override {
    return std::make_unique<SlowSession>(static_cast<int64_t>(messages[0].parts[0].text.size()));
  }
};

// Remembers when it heard what.
class Listening : public JobSink {
 public:
  bool wanted() const override { return !left; }
  void started(int64_t, int64_t) override {
    const std::lock_guard lock(mutex_);
    started_ = Clock::now();
  }
  void text(int64_t, std::string_view, std::span<const generate::TokenLogProbabilities>,
            const text::Tokenizer&) override {
    const std::lock_guard lock(mutex_);
    texts_.push_back(Clock::now());
  }
  void done() override { over = true; }
  void failed(Fault, const Error&) override { over = true, broken = true; }

  std::optional<Clock::time_point> started() const {
    const std::lock_guard lock(mutex_);
    return started_;
  }
  std::vector<Clock::time_point> texts() const {
    const std::lock_guard lock(mutex_);
    return texts_;
  }
  std::atomic<bool> left{false}, over{false}, broken{false};

 private:
  mutable std::mutex mutex_;
  std::optional<Clock::time_point> started_;
  std::vector<Clock::time_point> texts_;
};

class Scheduling : public ::testing::Test {
 protected:
  std::shared_ptr<Listening> ask(size_t prompt, int64_t tokens = 400) {
    auto sink = std::make_shared<Listening>();
    Job job{.model = "slow", .client = "c" + std::to_string(++clients_)};
    job.messages = {{.role = "user", .parts = {{.text = std::string(prompt, 'x')}}}};
    job.options.max_tokens = tokens;
    job.sink = sink;
    EXPECT_TRUE(scheduler_.submit(std::move(job)));
    return sink;
  }
  std::shared_ptr<Listening> run(std::shared_ptr<ModelTask> task) {
    auto sink = std::make_shared<Listening>();
    Job job{.model = "slow", .client = "tasks"};
    job.task = std::move(task);
    job.samples = 0;
    job.sink = sink;
    EXPECT_TRUE(scheduler_.submit(std::move(job)));
    return sink;
  }
  // The longest time between two texts of `sink`, of those that came from `begin` to `end`; and how many did.
  static std::pair<double, size_t> longest_gap(const Listening& sink, Clock::time_point begin, Clock::time_point end) {
    double longest = 0;
    size_t count = 0;
    Clock::time_point last = begin;
    for (const Clock::time_point at : sink.texts()) {
      if (at < begin || at > end) continue;
      longest = std::max(longest, std::chrono::duration<double>(at - last).count());
      last = at;
      ++count;
    }
    return {std::max(longest, std::chrono::duration<double>(end - last).count()), count};
  }

  ModelPool models_{{{.name = "slow"}}, {}, [](const ModelSource&) { return std::make_unique<SlowModel>(); }};
  Metrics metrics_;
  Scheduler scheduler_{models_, metrics_};
  int clients_ = 0;
};

TEST_F(Scheduling, ALongPromptDoesNotHoldUpAnswers) {
  const auto stream = ask(16);
  ASSERT_TRUE(eventually([&] { return stream->texts().size() >= 5; }));
  const Clock::time_point begin = Clock::now();
  const auto late = ask(4000);  // a second of reading
  ASSERT_TRUE(eventually([&] { return late->started().has_value(); }));
  const auto [gap, count] = longest_gap(*stream, begin, *late->started());
  EXPECT_GT(std::chrono::duration<double>(*late->started() - begin).count(), 1.0);
  EXPECT_LT(gap, 0.4);
  EXPECT_GE(count, 8U);
}

TEST_F(Scheduling, AShortPromptPassesALongOne) {
  const auto running = ask(16);
  ASSERT_TRUE(eventually([&] { return !running->texts().empty(); }));
  const auto longest = ask(6000), shorter = ask(16, 5);
  ASSERT_TRUE(eventually([&] { return shorter->over.load(); }));
  EXPECT_FALSE(longest->started().has_value());
}

// Twenty questions of a millisecond: were one of them read between two passes, of up to twenty tokens and 100 ms, the last would
// wait for more than a second.
TEST_F(Scheduling, ManyShortPromptsBeginTogether) {
  const auto running = ask(16);
  ASSERT_TRUE(eventually([&] { return !running->texts().empty(); }));
  const Clock::time_point begin = Clock::now();
  std::vector<std::shared_ptr<Listening>> all;
  for (int i = 0; i < 20; ++i) all.push_back(ask(4));
  for (const auto& one : all) {
    ASSERT_TRUE(eventually([&] { return one->started().has_value(); }));
    EXPECT_LT(std::chrono::duration<double>(*one->started() - begin).count(), 0.6);
  }
}

TEST_F(Scheduling, APromptThatNobodyWaitsForIsNotReadToItsEnd) {
  const auto running = ask(16);
  ASSERT_TRUE(eventually([&] { return !running->texts().empty(); }));
  rows_read = 0;
  const auto gone = ask(200'000);
  ASSERT_TRUE(eventually([&] { return rows_read > 0; }));
  gone->left = true;
  ASSERT_TRUE(eventually([&] { return metrics_.jobs_cancelled == 1; }));
  const int64_t read = rows_read;
  const auto after = ask(16, 3);
  ASSERT_TRUE(eventually([&] { return after->over.load(); }));
  EXPECT_EQ(rows_read, read + 16);
  EXPECT_FALSE(gone->over);
}

// What one answer found out about a grammar helps the next; too many grammars, and too large ones, are let go of.
TEST(LoadedModel, RequestsWithTheSameGrammarShareWhatIsKnownOfIt) {
  LoadedModel model(std::make_unique<SlowModel>());
  const auto grammar = [](int least) {
    return std::make_shared<const text::grammar::Grammar>(
        text::grammar::parse_json_schema(fmt::format(R"({{"type": "string", "minLength": {}}})", least)).value());
  };
  const auto first = model.constraint(grammar(1));
  EXPECT_EQ(model.constraint(grammar(1)), first);
  EXPECT_NE(model.constraint(grammar(2)), first);
  EXPECT_EQ(model.constraint(grammar(1)), first);
  for (int i = 2; i <= 9; ++i) (void)model.constraint(grammar(i));
  EXPECT_NE(model.constraint(grammar(1)), first);

  const auto large = model.constraint(grammar(30'000));
  text::grammar::Matcher matcher(large);
  matcher.accept('"');
  EXPECT_EQ(model.constraint(grammar(30'000)), large);
  while (large->bytes() <= size_t{16} << 20) {
    (void)matcher.allowed();
    matcher.accept('a');  // throws where the text must end
  }
  EXPECT_NE(model.constraint(grammar(30'000)), large);
}

class StepsTask : public ModelTask {
 public:
  explicit StepsTask(int fails_at = -1) : fails_at_(fails_at) {}
  bool step(const std::shared_ptr<const models::Model>& model) override {
    EXPECT_NE(model, nullptr);
    require(++steps != fails_at_, ErrorKind::usage, "this one fails");
    std::this_thread::sleep_for(milliseconds(30));
    return steps == 20;
  }
  std::atomic<int> steps{0};

 private:
  int fails_at_;
};

TEST_F(Scheduling, TasksTakeTurnsWithAnswers) {
  const auto stream = ask(16);
  ASSERT_TRUE(eventually([&] { return stream->texts().size() >= 5; }));
  const Clock::time_point begin = Clock::now();
  const auto task = std::make_shared<StepsTask>();
  const auto sink = run(task);
  ASSERT_TRUE(eventually([&] { return sink->over.load(); }));
  EXPECT_FALSE(sink->broken);
  EXPECT_EQ(task->steps, 20);
  EXPECT_GE(longest_gap(*stream, begin, Clock::now()).second, 15U);
  const auto broken = std::make_shared<StepsTask>(3);
  const auto told = run(broken);
  ASSERT_TRUE(eventually([&] { return told->over.load(); }));
  EXPECT_TRUE(told->broken);
  EXPECT_EQ(broken->steps, 3);
}

}  // namespace
}  // namespace sensorium::server
