#include "train/lesson_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "data/temp_folder.h"
#include "io/npy.h"
#include "media/audio.h"

namespace sensorium::train {
namespace {

class LessonSources : public data::TempFolder {
 protected:
  void SetUp() override {
    TempFolder::SetUp();
    recipe_.data_root = folder_;
    recipe_.validation_fraction = 0.2;
  }
  std::set<std::string> texts_of(const std::string& path, Part part) const {
    const auto source = open_source({.path = path}, recipe_, part);
    std::set<std::string> texts;
    for (int64_t i = 0; i < source->size(); ++i) texts.insert(source->get(i).text);
    EXPECT_EQ(static_cast<int64_t>(texts.size()), source->size());
    return texts;
  }
  static std::string text_line(int i) { return fmt::format("{{\"text\": \"story {}\"}}\n", i); }

  Recipe recipe_;
};

TEST_F(LessonSources, TheValidationPartIsDisjointAndOfTheRightSize) {
  std::string lines;
  for (int i = 0; i < 1000; ++i) lines += text_line(i);
  write("a.jsonl", lines);
  const std::set<std::string> train = texts_of("a.jsonl", Part::train),
                              validation = texts_of("a.jsonl", Part::validation);
  EXPECT_EQ(train.size() + validation.size(), 1000u);
  for (const std::string& text : validation) EXPECT_FALSE(train.contains(text));
  EXPECT_NEAR(static_cast<double>(validation.size()), 200, 50);  // four deviations of a binomial

  recipe_.validation_fraction = 0;
  EXPECT_EQ(texts_of("a.jsonl", Part::train).size(), 1000u);
  EXPECT_TRUE(texts_of("a.jsonl", Part::validation).empty());
  recipe_.validation_fraction = 1;
  EXPECT_EQ(texts_of("a.jsonl", Part::validation).size(), 1000u);
  EXPECT_TRUE(texts_of("a.jsonl", Part::train).empty());
}

TEST_F(LessonSources, NewRecordsDoNotMoveTheOldOnes) {
  std::string lines, more;
  for (int i = 0; i < 300; ++i) lines += text_line(i);
  for (int i = 399; i >= 0; --i) more += text_line(i);  // another order, and a hundred more
  write("a.jsonl", lines);
  write("b.jsonl", more);
  const std::set<std::string> before = texts_of("a.jsonl", Part::validation),
                              after = texts_of("b.jsonl", Part::validation);
  EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end()));
  EXPECT_GT(after.size(), before.size());
  // A larger fraction takes more, and keeps what was kept.
  recipe_.validation_fraction = 0.4;
  const std::set<std::string> larger = texts_of("a.jsonl", Part::validation);
  EXPECT_TRUE(std::includes(larger.begin(), larger.end(), before.begin(), before.end()));
}

TEST_F(LessonSources, RecordsBecomeLessons) {
  write_picture("p.png", 40, 30);
  write("a.jsonl", R"({"image": "p.png", "class": "dog"}
{"image": "p.png", "boxes": [{"box": [1, 2, 11, 22], "class": "head"}, {"box": [3, 4, 5, 6], "class": "hat"}], "captions": ["two things"]}
{"image": "p.png", "qa": [{"q": "how many?", "a": "two"}, {"q": "which colour?", "a": "red"}]}
{"image": "p.png", "sentence": "There is a dog.", "label": false}
{"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}, {"role": "user", "content": "more"}, {"role": "assistant", "content": "enough"}]}
)");
  recipe_.validation_fraction = 0;
  const auto source = open_source({.path = "a.jsonl", .objects = {"head"}}, recipe_, Part::train);
  ASSERT_EQ(source->size(), 5);
  const Lesson dog = source->get(0), boxes = source->get(1), questions = source->get(2), statement = source->get(3),
               chat = source->get(4);
  ASSERT_TRUE(dog.image);
  EXPECT_EQ(dog.image->width, 40);
  EXPECT_EQ(dog.label, "dog");
  EXPECT_FALSE(dog.boxes_known);
  EXPECT_TRUE(boxes.boxes_known);
  ASSERT_EQ(boxes.objects.size(), 2u);
  EXPECT_EQ(boxes.objects[0].name, "head");
  EXPECT_EQ(boxes.objects[0].box.x0, 1);
  EXPECT_EQ(boxes.objects[0].box.y1, 22);
  EXPECT_EQ(boxes.captions, (std::vector<std::string>{"two things"}));
  ASSERT_EQ(questions.exchanges.size(), 2u);
  EXPECT_EQ(questions.exchanges[1].question, "which colour?");
  EXPECT_EQ(questions.exchanges[1].answer, "red");
  ASSERT_EQ(statement.exchanges.size(), 1u);
  EXPECT_NE(statement.exchanges[0].question.find("There is a dog"), std::string::npos);
  EXPECT_EQ(statement.exchanges[0].answer, "no");
  EXPECT_EQ(chat.where, (folder_ / "a.jsonl").string() + ":5");
  EXPECT_FALSE(chat.has_percept());
  EXPECT_TRUE(chat.exchanges.empty());
  ASSERT_EQ(chat.turns.size(), 4u);
  EXPECT_EQ(chat.turns[2].role, "user");
  EXPECT_EQ(chat.turns[2].parts.at(0).text, "more");
  EXPECT_EQ(chat.turns[3].parts.at(0).text, "enough");

  std::set<std::string> labels, objects;
  source->collect_names(labels, objects);
  EXPECT_EQ(labels, (std::set<std::string>{"dog"}));
  EXPECT_EQ(objects, (std::set<std::string>{"head"}));
  // A set that names no kinds of objects does not teach where things are not.
  EXPECT_FALSE(open_source({.path = "a.jsonl"}, recipe_, Part::train)->get(1).boxes_known);
}

TEST_F(LessonSources, ConversationsKeepTheirTurnsAndPictures) {
  write_picture("p.png", 40, 30);
  write_picture("q.png", 20, 50);
  write("a.jsonl", R"({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [
{"type": "text", "text": "Which is wider,"}, {"type": "image", "image": "p.png"}, {"type": "text", "text": "or"},
{"type": "image", "image": "q.png"}]}, {"role": "assistant", "content": "the first"}]})");
  std::string line = read_file(folder_ / "a.jsonl");
  std::erase(line, '\n');
  write("a.jsonl", line + "\n");
  recipe_.validation_fraction = 0;
  const auto source = open_source({.path = "a.jsonl"}, recipe_, Part::train);
  const Lesson lesson = source->get(0);
  EXPECT_TRUE(lesson.has_percept());
  EXPECT_FALSE(lesson.image);
  ASSERT_EQ(lesson.turns.size(), 3u);
  EXPECT_EQ(lesson.turns[0].role, "system");
  EXPECT_EQ(lesson.turns[0].parts.at(0).text, "Be brief.");
  ASSERT_EQ(lesson.turns[1].parts.size(), 4u);
  EXPECT_EQ(lesson.turns[1].parts[0].text, "Which is wider,");
  ASSERT_TRUE(lesson.turns[1].parts[1].image);
  EXPECT_EQ(lesson.turns[1].parts[1].image->width, 40);
  EXPECT_EQ(lesson.turns[1].parts[2].text, "or");
  ASSERT_TRUE(lesson.turns[1].parts[3].image);
  EXPECT_EQ(lesson.turns[1].parts[3].image->width, 20);
  const Lesson words = source->get_words(0);
  EXPECT_FALSE(words.has_percept());
  EXPECT_EQ(words.turns[1].parts.size(), 2u);
}

TEST_F(LessonSources, RecordingsAreLoadedOnceAndKeepTheirLabelsApart) {
  media::Audio audio{16'000, 1, std::vector<float>(16'000)};
  for (size_t i = 0; i < audio.samples.size(); ++i) audio.samples[i] = i % 16 < 8 ? 0.5f : -0.5f;
  write("bark.wav", media::encode_wav(audio));
  write("walk.npy", io::encode_npy(Tensor::zeros({100, 6})));
  write_picture("cat.png");
  write("a.jsonl", R"({"audio": "bark.wav", "class": "dog", "qa": [{"q": "How loud?", "a": "very"}]}
{"imu": "walk.npy", "class": "walking"}
{"image": "cat.png", "class": "cat"}
{"messages": [{"role": "user", "content": [{"type": "audio", "audio": "bark.wav"}]}, {"role": "assistant", "content": "a dog"}]}
)");
  recipe_.validation_fraction = 0;
  const auto source = open_source({.path = "a.jsonl"}, recipe_, Part::train);
  const Lesson bark = source->get(0), walk = source->get(1), cat = source->get(2), chat = source->get(3);
  ASSERT_NE(bark.recording, nullptr);
  EXPECT_EQ(bark.recording->sense->name, "audio");
  EXPECT_TRUE(bark.has_percept());
  EXPECT_EQ(bark.label, "dog");
  EXPECT_EQ(bark.image, nullptr);
  ASSERT_NE(walk.recording, nullptr);
  EXPECT_EQ(walk.recording->sense->name, "imu");
  EXPECT_EQ(cat.recording, nullptr);
  EXPECT_EQ(chat.turns.at(0).parts.at(0).recording, bark.recording) << "from the cache";
  EXPECT_FALSE(source->get_words(0).has_percept());

  std::set<std::string> labels, objects;
  source->collect_names(labels, objects);
  EXPECT_EQ(labels, (std::set<std::string>{"cat"}));
  std::map<std::string, std::set<std::string>> recorded;
  source->collect_recorded(recorded);
  EXPECT_EQ(recorded, (std::map<std::string, std::set<std::string>>{{"audio", {"dog"}}, {"imu", {"walking"}}}));

  // A recipe may take the answer to a question as the label.
  const auto asked = open_source({.path = "a.jsonl", .label_question = "How loud?"}, recipe_, Part::train);
  EXPECT_EQ(asked->get(0).label, "very");
  EXPECT_EQ(asked->get(1).label, "");
}

TEST_F(LessonSources, ARecordingThatIsNotThereIsNamedWithItsLine) {
  write("a.jsonl", R"({"audio": "gone.wav", "class": "dog"})");
  recipe_.validation_fraction = 0;
  const auto source = open_source({.path = "a.jsonl"}, recipe_, Part::train);
  try {
    source->get(0);
    FAIL() << "it was loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_NE(error.message().find("a.jsonl:1"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("gone.wav"), std::string::npos) << error.message();
  }
}

TEST_F(LessonSources, TheKindsThatHaveBoxes) {
  write(
      "a.jsonl",
      R"({"image": "p.png", "boxes": [{"box": [1, 2, 11, 22], "class": "nut"}, {"box": [3, 4, 5, 6], "class": "bolt"}]}
{"image": "p.png", "boxes": [{"box": [1, 2, 11, 22], "class": "nut"}]}
{"image": "p.png", "class": "wheel"}
)");
  recipe_.validation_fraction = 0;
  EXPECT_EQ(boxed_kinds({.path = "a.jsonl"}, recipe_), (std::vector<std::string>{"bolt", "nut"}));
}

TEST_F(LessonSources, WordsNeedNoPicture) {
  write("a.jsonl", R"({"image": "missing.png", "class": "dog", "captions": ["a dog"]})"
                   "\n");
  recipe_.validation_fraction = 0;
  const auto source = open_source({.path = "a.jsonl"}, recipe_, Part::train);
  const Lesson words = source->get_words(0);
  EXPECT_FALSE(words.image);
  EXPECT_EQ(words.label, "dog");
  EXPECT_EQ(words.captions, (std::vector<std::string>{"a dog"}));
  EXPECT_EQ(source->word_lessons(), 1);
  try {
    source->get(0);
    FAIL() << "a picture that is missing was loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_NE(error.message().find("a.jsonl:1"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("missing.png"), std::string::npos) << error.message();
  }
}

TEST_F(LessonSources, PicturesAreSharedWhileTheCacheHasRoom) {
  write_picture("p.png", 64, 64);
  write("a.jsonl", R"({"image": "p.png", "class": "dog"})"
                   "\n");
  recipe_.validation_fraction = 0;
  const auto kept = open_source({.path = "a.jsonl"}, recipe_, Part::train);
  EXPECT_EQ(kept->get(0).image, kept->get(0).image);
  recipe_.cache_megabytes = 0;
  const auto forgotten = open_source({.path = "a.jsonl"}, recipe_, Part::train);
  const Lesson first = forgotten->get(0), second = forgotten->get(0);
  EXPECT_NE(first.image, second.image);
  EXPECT_EQ(*first.image, *second.image);
}

TEST_F(LessonSources, AMissingDataSetIsNamed) {
  try {
    open_source({.path = "nowhere.jsonl"}, recipe_, Part::train);
    FAIL() << "it was opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_NE(error.message().find("nowhere.jsonl"), std::string::npos) << error.message();
  }
}

TEST_F(LessonSources, TheWorldIsTheSameEveryTime) {
  const SetRecipe set{.world = "shapes", .objects = {"circle"}, .scene = "shapes"};
  const auto source = open_source(set, recipe_, Part::train), again = open_source(set, recipe_, Part::train);
  const Lesson a = source->get(7), b = again->get(7), words = source->get_words(7), other = source->get(8);
  EXPECT_EQ(*a.image, *b.image);
  EXPECT_NE(a.image->pixels, other.image->pixels);
  EXPECT_TRUE(a.boxes_known);
  EXPECT_FALSE(a.objects.empty());
  EXPECT_FALSE(words.image);
  EXPECT_EQ(words.captions, a.captions);
  ASSERT_EQ(words.exchanges.size(), a.exchanges.size());
  for (size_t i = 0; i < a.exchanges.size(); ++i) EXPECT_EQ(words.exchanges[i].answer, a.exchanges[i].answer);
  std::set<std::string> labels, objects;
  source->collect_names(labels, objects);
  EXPECT_TRUE(labels.empty());  // the scene is the label
  EXPECT_EQ(objects, (std::set<std::string>{"circle"}));
  EXPECT_LE(source->word_lessons(), 1000);
  EXPECT_GT(source->size(), int64_t{1} << 30);
}

TEST_F(LessonSources, TheWorldsValidationPartIsAnotherWorld) {
  const SetRecipe set{.world = "shapes", .scene = "shapes"};
  const auto train = open_source(set, recipe_, Part::train), validation = open_source(set, recipe_, Part::validation);
  EXPECT_EQ(validation->size(), 200);
  for (int64_t i = 0; i < 3; ++i) EXPECT_NE(train->get(i).image->pixels, validation->get(i).image->pixels);
  Recipe other = recipe_;
  other.seed = 77;
  EXPECT_NE(train->get(0).image->pixels, open_source(set, other, Part::train)->get(0).image->pixels);
}

TEST_F(LessonSources, UnknownWorldsAreErrorsAtOnce) {
  try {
    open_source({.world = "shape"}, recipe_, Part::train);
    FAIL() << "it was opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(error.message().find("shapes"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace sensorium::train
