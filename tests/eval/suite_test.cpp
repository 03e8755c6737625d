// The whole run over small data sets with a model whose answers are known.
#include "eval/suite.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <set>

#include "base/file.h"
#include "base/interrupt.h"
#include "data/dataset.h"
#include "data/world/world.h"
#include "eval/fake_model.h"
#include "eval/tasks/task.h"
#include "media/audio.h"
#include "media/encode.h"
#include "temporary_folder.h"

namespace sensorium::eval {
namespace {
namespace fs = std::filesystem;

std::vector<data::Record> read_all(const fs::path& file) {
  const std::unique_ptr<data::Dataset> dataset = data::open_dataset(file);
  std::vector<data::Record> records;
  for (int64_t i = 0; i < dataset->size(); ++i) records.push_back(dataset->get(i));
  return records;
}

std::string true_answer(const data::Record& record, const std::string& question) {
  for (const data::QuestionAnswer& qa : record.questions) {
    if (qa.question == question) return qa.answer;
  }
  if (record.statement && question == data::statement_question(record.statement->sentence)) {
    return record.statement->truth ? "yes" : "no";
  }
  return record.captions.empty() ? "" : record.captions.front();
}

std::vector<models::AnswerBox> true_boxes(const data::Record& record) {
  std::vector<models::AnswerBox> boxes;
  for (const data::MarkedBox& box : record.boxes.value_or(std::vector<data::MarkedBox>{})) {
    boxes.push_back(
        {.label = box.label, .score = 0.9f, .picture = 0, .x0 = box.x0, .y0 = box.y0, .x1 = box.x1, .y1 = box.y1});
  }
  return boxes;
}

FakeModel make_oracle(const fs::path& file) {
  FakeModel model(read_all(file));
  model.say = [](const data::Record* record, const std::string& question) {
    return record ? true_answer(*record, question) : std::string("nothing");
  };
  model.see = true_boxes;
  model.recognise = [](const data::Record& record) { return record.label; };
  return model;
}

fs::path write_world(const fs::path& folder, const std::vector<std::string>& kinds, size_t count = 12) {
  data::WorldOptions options;
  options.kinds = kinds;
  options.min_side = options.max_side = 96;
  data::write_world_dataset(folder, "test", 0, count, 7, options);
  return folder / "test.jsonl";
}

fs::path write_lines(const fs::path& folder, const std::string& lines) {
  write_file_atomic(folder / "set.jsonl", lines);
  return folder / "set.jsonl";
}

// Pictures that differ: name.png has the grey value.
void write_picture(const fs::path& folder, const std::string& name, uint8_t value) {
  write_file_atomic(folder / name, media::encode_png(media::Image(16, 12, 3, value)));
}

EvalOptions options_for(const fs::path& file, const std::string& task = "") {
  EvalOptions options;
  options.data = file;
  options.task = task;
  options.bootstrap.resamples = 50;
  options.max_tokens = 1000;  // bytes are its tokens
  return options;
}

double metric(const EvalResult& result, const std::string& name) {
  for (const auto& [key, value] : result.metrics) {
    if (key == name) return value.value;
  }
  ADD_FAILURE() << result.task << " has no " << name;
  return std::nan("");
}

ErrorKind kind_of(const std::function<void()>& run, const std::string& part_of_message) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find(part_of_message), std::string::npos) << error.message();
    return error.kind();
  }
  ADD_FAILURE() << "no error";
  return ErrorKind::io;
}

TEST(Suite, AnOracleIsPerfectAtEveryTaskOfTheWorld) {
  const TemporaryFolder folder;
  const fs::path file = write_world(folder.path(), {"blocks", "parts", "site", "shapes"}, 16);
  const FakeModel model = make_oracle(file);
  const EvalReport report = evaluate(model, "oracle", options_for(file));
  std::set<std::string> tasks;
  for (const EvalResult& result : report.results) {
    tasks.insert(result.task);
    EXPECT_GT(result.n, 0);
    for (const auto& [name, value] : result.metrics) {
      if (name == "cider") {
        EXPECT_GT(value.value, 1.0);
      } else {
        EXPECT_NEAR(value.value, name == "count_mae" ? 0.0 : 1.0, 1e-9)
            << result.task << " " << result.question << " " << name;
      }
    }
  }
  EXPECT_EQ(tasks, (std::set<std::string>{"qa", "class", "count", "boxes", "caption", "statement"}));
}

TEST(Suite, NonsenseScoresNothing) {
  const TemporaryFolder folder;
  const fs::path file = write_world(folder.path(), {"blocks", "digits", "site"});
  const EvalReport report = evaluate(FakeModel(read_all(file)), "nonsense", options_for(file));
  for (const EvalResult& result : report.results) {
    // Seeing nothing is right where nothing is, so counts are not all wrong.
    if (result.task == "count") continue;
    for (const auto& [name, value] : result.metrics) {
      if (name == "count_mae") {
        EXPECT_GT(value.value, 0.0);
      } else {
        EXPECT_NEAR(value.value, 0.0, 1e-6) << result.task << " " << result.question << " " << name;
      }
    }
  }
}

TEST(Suite, ReportHasTheKeysOfTheContract) {
  const TemporaryFolder folder;
  write_picture(folder.path(), "a.png", 10);
  write_picture(folder.path(), "b.png", 20);
  const fs::path file =
      write_lines(folder.path(), R"({"image":"a.png","qa":[{"q":"How many?","a":"3"},{"q":"Colour?","a":"red"}]}
{"image":"b.png","qa":[{"q":"How many?","a":"4"},{"q":"Colour?","a":"blue"}]}
)");
  FakeModel model = make_oracle(file);
  model.say = [](const data::Record*, const std::string& question) {
    return question == "How many?" ? "three" : "Red.";
  };
  const OrderedJson json = evaluate(model, "default", options_for(file)).to_json();
  const std::string data = file.string();
  // Two items, one of them right: every resample's mean lies in 0, 0.5, 1.
  EXPECT_EQ(
      json.dump(),
      R"({"model":"default","data":")" + data +
          R"(","results":[{"task":"qa","question":"How many?","n":2,"metrics":{"exact_match":{"value":0.5,"ci95":[0.0,1.0]},)"
          R"("count_mae":{"value":0.5,"ci95":[0.0,1.0]},"count_exact":{"value":0.5,"ci95":[0.0,1.0]}}},)"
          R"({"task":"qa","question":"Colour?","n":2,"metrics":{"exact_match":{"value":0.5,"ci95":[0.0,1.0]}}}]})");
}

TEST(Suite, OneQuestionIsNotSplit) {
  const TemporaryFolder folder;
  write_picture(folder.path(), "a.png", 10);
  const fs::path file =
      write_lines(folder.path(), R"({"image":"a.png","qa":[{"q":"Which digit is written here?","a":"zero"}]})");
  const EvalReport report = evaluate(make_oracle(file), "m", options_for(file, "qa"));
  ASSERT_EQ(report.results.size(), 1u);
  EXPECT_FALSE(report.results[0].to_json().contains("question"));
  // A digit in words names a class, it counts nothing.
  EXPECT_EQ(report.results[0].metrics.size(), 1u);
}

TEST(Suite, RareQuestionsArePooled) {
  const TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 40; ++i) lines += fmt::format("{{\"question\":\"riddle {}\",\"answer\":\"nothing\"}}\n", i);
  const fs::path file = write_lines(folder.path(), lines);
  const EvalReport report = evaluate(make_oracle(file), "m", options_for(file));
  ASSERT_EQ(report.results.size(), 1u);
  EXPECT_EQ(report.results[0].n, 40);
  EXPECT_EQ(report.results[0].question, "");
  EXPECT_EQ(metric(report.results[0], "exact_match"), 1.0);
  // Two nats for the seven bytes of "nothing" and the end.
  EXPECT_NEAR(metric(report.results[0], "perplexity"), std::exp(2.0 / 8.0), 1e-12);
}

TEST(Suite, StatementsAreNoQuestions) {
  const TemporaryFolder folder;
  write_picture(folder.path(), "a.png", 10);
  write_picture(folder.path(), "b.png", 20);
  const fs::path file = write_lines(
      folder.path(),
      R"({"image":"a.png","sentence":"It is dark","label":true,"qa":[{"q":"Is this statement true? It is dark","a":"yes"}]}
{"image":"b.png","sentence":"It is red","label":false,"qa":[{"q":"Is this statement true? It is grey","a":"yes"}]}
)");
  FakeModel model = make_oracle(file);
  model.say = [](const data::Record*, const std::string&) { return "Yes, it is."; };
  const EvalReport report = evaluate(model, "m", options_for(file));
  ASSERT_EQ(report.results.size(), 1u);
  EXPECT_EQ(report.results[0].task, "statement");
  EXPECT_EQ(report.results[0].n, 3);
  EXPECT_NEAR(metric(report.results[0], "accuracy"), 2.0 / 3.0, 1e-12);
}

TEST(Suite, TheClassIsAskedForOrRecognised) {
  const TemporaryFolder folder;
  write_picture(folder.path(), "a.png", 10);
  write_picture(folder.path(), "b.png", 20);
  const std::string asked = R"({"image":"a.png","class":"cat","qa":[{"q":"Which animal?","a":"cat"}]}
{"image":"b.png","class":"dog","qa":[{"q":"Which animal?","a":"dog"}]}
)";
  const fs::path file = write_lines(folder.path(), asked);
  FakeModel model = make_oracle(file);
  model.say = [](const data::Record*, const std::string&) { return "The dog."; };
  const EvalReport by_answer = evaluate(model, "m", options_for(file, "class"));
  EXPECT_EQ(metric(by_answer.results.at(0), "accuracy"), 0.5);
  EXPECT_NEAR(metric(by_answer.results.at(0), "macro_f1"), (0.0 + 2.0 / 3.0) / 2, 1e-12);

  // Another word for one of the classes.
  const fs::path renamed =
      write_lines(folder.path(), R"({"image":"a.png","class":"none","qa":[{"q":"Which animal?","a":"nothing"}]}
{"image":"b.png","class":"dog","qa":[{"q":"Which animal?","a":"dog"}]}
)");
  EXPECT_EQ(metric(evaluate(make_oracle(renamed), "m", options_for(renamed, "class")).results.at(0), "accuracy"), 1.0);

  const fs::path plain =
      write_lines(folder.path(), "{\"image\":\"a.png\",\"class\":\"cat\"}\n{\"image\":\"b.png\",\"class\":\"dog\"}\n");
  const EvalReport recognised = evaluate(model, "m", options_for(plain, "class"));
  EXPECT_EQ(metric(recognised.results.at(0), "accuracy"), 1.0);
}

TEST(Suite, CountsAndBoxesHaveFiguresPerClass) {
  const TemporaryFolder folder;
  write_picture(folder.path(), "a.png", 10);
  write_picture(folder.path(), "b.png", 20);
  const fs::path file = write_lines(
      folder.path(),
      R"({"image":"a.png","boxes":[{"box":[0,0,4,4],"class":"helmet"},{"box":[8,0,12,4],"class":"head"}],"count":{"helmet":1,"head":1,"person":0}}
{"image":"b.png","boxes":[{"box":[0,0,4,4],"class":"helmet"},{"box":[8,8,12,12],"class":"helmet"}],"count":{"helmet":2,"head":0,"person":0}}
)");
  FakeModel model = make_oracle(file);
  // It never sees heads.
  model.see = [](const data::Record& record) {
    std::vector<models::AnswerBox> boxes = true_boxes(record);
    std::erase_if(boxes, [](const models::AnswerBox& box) { return box.label == "head"; });
    return boxes;
  };
  const EvalReport report = evaluate(model, "m", options_for(file));
  ASSERT_EQ(report.results.size(), 6u);
  const auto expect = [&](size_t i, const char* task, const char* label, int64_t n, const char* name, double value) {
    const EvalResult& result = report.results[i];
    EXPECT_EQ(result.task, task);
    EXPECT_EQ(result.label, label);
    EXPECT_EQ(result.n, n);
    EXPECT_NEAR(metric(result, name), value, 1e-9);
  };
  expect(0, "count", "", 4, "count_mae", 0.25);
  expect(1, "count", "head", 2, "count_exact", 0.5);
  expect(2, "count", "helmet", 2, "count_exact", 1.0);
  expect(3, "boxes", "", 2, "map50", 0.5);
  expect(4, "boxes", "head", 2, "map50", 0.0);
  expect(5, "boxes", "helmet", 2, "map50", 1.0);
}

TEST(Suite, TextHasPerplexity) {
  const TemporaryFolder folder;
  const fs::path file = write_lines(folder.path(), "{\"text\":\"Once upon a time\"}\n{\"text\":\"x\"}\n");
  const EvalReport report = evaluate(make_oracle(file), "m", options_for(file));
  ASSERT_EQ(report.results.size(), 1u);
  EXPECT_EQ(report.results[0].task, "text");
  EXPECT_EQ(report.results[0].n, 1);
  EXPECT_NEAR(metric(report.results[0], "perplexity"), std::exp(0.5), 1e-12);
}

TEST(Suite, WrittenTextIsTranscribed) {
  const TemporaryFolder folder;
  write_picture(folder.path(), "a.png", 10);
  const fs::path file = write_lines(
      folder.path(), R"({"image":"a.png","text":"TOTAL RM 3","qa":[{"q":"What does it say?","a":"TOTAL RM 3"}]})");
  FakeModel model = make_oracle(file);
  model.say = [](const data::Record*, const std::string&) { return "total rn 3"; };
  const EvalReport report = evaluate(model, "m", options_for(file, "transcript"));
  ASSERT_EQ(report.results.size(), 1u);
  EXPECT_NEAR(metric(report.results[0], "wer"), 1.0 / 3.0, 1e-12);
  EXPECT_NEAR(metric(report.results[0], "cer"), 1.0 / 10.0, 1e-12);
}

TEST(Suite, ConversationsAreAnsweredAtTheirLastTurn) {
  const TemporaryFolder folder;
  write_picture(folder.path(), "a.png", 10);
  const fs::path file = write_lines(
      folder.path(),
      R"({"messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":"Hi"},{"role":"user","content":"Name a colour"},{"role":"assistant","content":"Red"}]})");
  FakeModel model = make_oracle(file);
  model.say = [](const data::Record*, const std::string& question) {
    return question == "Name a colour" ? "red" : "?";
  };
  const EvalReport report = evaluate(model, "m", options_for(file));
  EXPECT_EQ(metric(report.results.at(0), "exact_match"), 1.0);
}

// As biomedical question sets are scored: yes/no questions and open ones apart.
TEST(Suite, ClosedAndOpenQuestionsOfConversationsAreScoredApart) {
  const TemporaryFolder folder;
  const auto line = [](const std::string& question, const std::string& answer) {
    return fmt::format(R"({{"messages":[{{"role":"user","content":"{}"}},{{"role":"assistant","content":"{}"}}]}})"
                       "\n",
                       question, answer);
  };
  const fs::path file = write_lines(
      folder.path(), line("Is it broken?", "Yes") + line("Is it old?", "No") + line("Where?", "left lower lobe"));
  FakeModel model = make_oracle(file);
  model.say = [](const data::Record*, const std::string& question) {
    return question == "Where?" ? "In the left lobe." : "I think yes.";
  };
  const EvalReport report = evaluate(model, "m", options_for(file, "qa"));
  ASSERT_EQ(report.results.size(), 3u);
  EXPECT_EQ(report.results[1].label, "closed");
  EXPECT_EQ(report.results[1].n, 2);
  EXPECT_EQ(metric(report.results[1], "closed_accuracy"), 0.5);
  EXPECT_EQ(report.results[2].label, "open");
  EXPECT_EQ(report.results[2].n, 1);
  EXPECT_NEAR(metric(report.results[2], "open_recall"), 2.0 / 3.0, 1e-12);
}

TEST(Suite, TheSameQuestionIsAnsweredOnce) {
  const TemporaryFolder folder;
  write_picture(folder.path(), "a.png", 10);
  const fs::path file =
      write_lines(folder.path(), R"({"image":"a.png","class":"cat","qa":[{"q":"Which animal?","a":"cat"}]})");
  const FakeModel model = make_oracle(file);
  EXPECT_EQ(evaluate(model, "m", options_for(file)).results.size(), 2u);
  EXPECT_EQ(model.sessions, 1);
}

TEST(Suite, LimitTakesTheFirstRecordsAndProgressIsTold) {
  const TemporaryFolder folder;
  const fs::path file = write_world(folder.path(), {"digits"}, 6);
  EvalOptions options = options_for(file, "class");
  options.limit = 4;
  std::vector<int64_t> told;
  options.on_progress = [&](int64_t done, int64_t total) {
    EXPECT_EQ(total, 4);
    told.push_back(done);
  };
  const EvalReport report = evaluate(make_oracle(file), "m", options);
  EXPECT_EQ(report.records, 4);
  EXPECT_LE(report.results.at(0).n, 4);
  EXPECT_EQ(told, (std::vector<int64_t>{1, 2, 3, 4}));
}

TEST(Suite, RecordingsHaveClassesAndQuestions) {
  const TemporaryFolder folder;
  for (const int period : {8, 16}) {
    media::Audio audio{16'000, 1, std::vector<float>(8'000)};
    for (size_t i = 0; i < audio.samples.size(); ++i)
      audio.samples[i] = i % static_cast<size_t>(period) < static_cast<size_t>(period) / 2 ? 0.5f : -0.5f;
    write_file_atomic(folder.path() / fmt::format("{}.wav", period), media::encode_wav(audio));
  }
  const fs::path file = write_lines(folder.path(), R"({"audio":"8.wav","class":"high","qa":[{"q":"Loud?","a":"yes"}]}
{"audio":"16.wav","class":"low","qa":[{"q":"Loud?","a":"no"}]}
)");
  const EvalReport report = evaluate(make_oracle(file), "m", options_for(file));
  ASSERT_EQ(report.results.size(), 2u);
  EXPECT_EQ(report.results[0].task, "qa");
  EXPECT_EQ(report.results[0].metrics.at(0).second.value, 1.0);
  EXPECT_EQ(report.results[1].task, "class");
  EXPECT_EQ(report.results[1].n, 2);
  EXPECT_EQ(report.results[1].metrics.at(0).second.value, 1.0);
  EXPECT_EQ(report.results[0].metrics.size(), 1u)
      << "no perplexity: that is for questions without anything to perceive";
}

TEST(Suite, SaysWhatIsWrong) {
  const TemporaryFolder folder;
  const fs::path file = write_lines(folder.path(), "{\"text\":\"Once upon a time\"}\n");
  const FakeModel model = make_oracle(file);
  const auto run = [&](const fs::path& path, const std::string& task) {
    return [&model, path, task] { evaluate(model, "m", options_for(path, task)); };
  };
  EXPECT_EQ(kind_of(run(file, "captoin"), "did you mean 'caption'"), ErrorKind::usage);
  EXPECT_EQ(kind_of(run(file, "boxes"), "only text"), ErrorKind::invalid_data);
  EXPECT_EQ(kind_of(run(folder.path() / "none.jsonl", ""), "none.jsonl"), ErrorKind::not_found);
  EXPECT_EQ(kind_of(run(write_lines(folder.path(), ""), ""), "no records"), ErrorKind::invalid_data);
  const fs::path faulty = write_lines(folder.path(), "{\"text\":\"a b\"}\n{\"text\":\n");
  EXPECT_EQ(kind_of(run(faulty, ""), "set.jsonl:2"), ErrorKind::invalid_data);
  const fs::path missing = write_lines(folder.path(), R"({"image":"gone.png","class":"cat"})");
  EXPECT_EQ(kind_of(run(missing, ""), "set.jsonl:1"), ErrorKind::not_found);
  EvalOptions negative = options_for(missing);
  negative.limit = -1;
  EXPECT_EQ(kind_of([&] { evaluate(model, "m", negative); }, "negative"), ErrorKind::usage);
}

TEST(Suite, StopsWhenInterrupted) {
  const TemporaryFolder folder;
  const fs::path file = write_lines(folder.path(), "{\"text\":\"Once upon a time\"}\n{\"text\":\"there was\"}\n");
  const FakeModel model = make_oracle(file);
  EvalOptions options = options_for(file);
  options.on_progress = [](int64_t, int64_t) { set_interrupted(true); };
  const ErrorKind kind = kind_of([&] { evaluate(model, "m", options); }, "interrupted");
  set_interrupted(false);
  EXPECT_EQ(kind, ErrorKind::interrupted);
}

TEST(Tasks, HaveUniqueNamesAndDescriptions) {
  std::set<std::string_view> names;
  for (const TaskEntry& entry : task_table()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_FALSE(entry.description.empty()) << entry.name;
  }
  for (const char* name : {"qa", "class", "count", "boxes", "caption", "statement", "transcript", "text"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

}  // namespace
}  // namespace sensorium::eval
