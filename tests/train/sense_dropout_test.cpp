#include "train/sense_dropout.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "train/lesson_source.h"

namespace sensorium::train {
namespace {

std::multiset<std::string> senses_of(const Lesson& lesson) {
  std::multiset<std::string> senses;
  for (const models::ChatMessage& turn : lesson.turns) {
    for (const models::ChatPart& part : turn.parts) {
      if (part.recording) senses.emplace(part.recording->sense->name);
      if (part.image) senses.emplace(part.picture != nullptr ? part.picture->name : "image");
    }
  }
  return senses;
}

Lesson scene() { return open_source({.world = "together"}, {}, Part::train)->get(0); }

TEST(SenseDropout, DropsWholeSensesButNeverAll) {
  Lesson lesson = scene();
  const std::multiset<std::string> all = {"audio", "depth", "image", "thermal"};
  ASSERT_EQ(senses_of(lesson), all);
  // A second picture goes and stays with the first.
  lesson.turns[0].parts.insert(lesson.turns[0].parts.begin(), lesson.turns[0].parts[0]);
  Rng rng(1);
  std::map<std::string, int> kept;
  constexpr int kLessons = 2000;
  for (int i = 0; i < kLessons; ++i) {
    const Lesson some = without_some_senses(lesson, 0.4, rng);
    const std::multiset<std::string> senses = senses_of(some);
    EXPECT_FALSE(senses.empty());
    EXPECT_NE(senses.count("image"), 1u);
    for (const std::string& sense : std::set<std::string>(senses.begin(), senses.end())) ++kept[sense];
    EXPECT_EQ(some.turns[0].parts.back().text + some.turns[1].parts[0].text,
              lesson.turns[0].parts.back().text + lesson.turns[1].parts[0].text);
  }
  // 1 - 0.4, and a quarter of the lessons that would have lost all four.
  for (const std::string& sense : all) EXPECT_NEAR(kept[sense], kLessons * (0.6 + 0.0064), 90) << sense;
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(senses_of(without_some_senses(lesson, 1, rng)).empty());
}

TEST(SenseDropout, NothingIsDrawnWhereNothingIsDropped) {
  Rng rng(1), untouched(1);
  EXPECT_EQ(senses_of(without_some_senses(scene(), 0, rng)).size(), 4u);
  Lesson one = open_source({.world = "senses"}, {}, Part::train)->get(0);
  EXPECT_NE(without_some_senses(one, 0.9, rng).image, nullptr);
  EXPECT_EQ(rng.next(), untouched.next());
}

TEST(SenseDropout, AFilmMayLoseItsSoundAlone) {
  Lesson film = open_source({.world = "senses"}, {}, Part::train)->get(4);
  film.sound = open_source({.world = "senses"}, {}, Part::train)->get(3).recording;
  Rng rng(1);
  const Lesson silent = without_some_senses(film, 1, rng);
  EXPECT_EQ(silent.sound, nullptr);
  EXPECT_EQ(silent.recording, film.recording);
}

}  // namespace
}  // namespace sensorium::train
