#include "train/questions.h"

#include <algorithm>

namespace sensorium::train {
namespace {

constexpr const char* kCaptionQuestions[] = {"Describe the picture.", "What does the picture show?",
                                             "Write a caption."};
constexpr const char* kFindQuestions[] = {"Where is the {}?", "Where are the {}s?", "Find every {}."};
constexpr double kFindPresent = 0.85;  // how often the boxes of a kind are asked for that is in the picture
constexpr double kDerivedFirst = 0.2;  // how often derived questions go before the lesson's own

}  // namespace

std::vector<Exchange> derived_exchanges(const Lesson& lesson, const std::vector<std::string>& objects) {
  std::vector<Exchange> result;
  for (const std::string& caption : lesson.captions) {
    result.push_back({lesson.recording ? std::string(lesson.recording->sense->caption_question)
                                       : kCaptionQuestions[result.size() % std::size(kCaptionQuestions)],
                      caption});
  }
  if (lesson.recording && !lesson.label.empty())
    result.push_back({std::string(lesson.recording->sense->question), lesson.label});
  if (!lesson.boxes_known) return result;
  for (const std::string& object : objects) {
    const auto count = std::count_if(lesson.objects.begin(), lesson.objects.end(),
                                     [&](const Lesson::Object& o) { return o.name == object; });
    result.push_back({fmt::format("How many {}s are there?", object), fmt::format("{}", count)});
  }
  return result;
}

std::vector<Exchange> choose_questions(const Lesson& lesson, bool all_visible, const SetRecipe& set,
                                       const Recipe& recipe, Rng& rng) {
  std::vector<Exchange> exchanges;
  // The lesson's own questions mostly go first: those derived from many kinds of objects would crowd them out.
  const auto add_all = [&](std::vector<Exchange> more) {
    rng.shuffle(more);
    for (Exchange& exchange : more) {
      if (exchanges.size() == static_cast<size_t>(recipe.questions_per_image)) return;
      const bool known = std::any_of(exchanges.begin(), exchanges.end(),
                                     [&](const Exchange& e) { return e.question == exchange.question; });
      if (!known) exchanges.push_back(std::move(exchange));
    }
  };
  const bool own_first = !rng.chance(kDerivedFirst);
  if (all_visible && own_first) add_all(lesson.exchanges);
  std::vector<Exchange> derived = derived_exchanges(lesson, set.objects);
  if (!all_visible) derived.resize(std::min(derived.size(), lesson.captions.size()));
  add_all(std::move(derived));
  if (all_visible && !own_first) add_all(lesson.exchanges);
  if (lesson.boxes_known && !set.objects.empty() && rng.chance(recipe.find_questions)) {
    const bool present = !lesson.objects.empty() && rng.chance(kFindPresent);
    const std::string& kind =
        present ? lesson.objects[rng.below(lesson.objects.size())].name : set.objects[rng.below(set.objects.size())];
    const char* question = kFindQuestions[rng.below(std::size(kFindQuestions))];
    if (exchanges.size() == static_cast<size_t>(recipe.questions_per_image)) exchanges.pop_back();
    exchanges.push_back({fmt::format(fmt::runtime(question), kind), "", kind});
  }
  rng.shuffle(exchanges);
  return exchanges;
}

}  // namespace sensorium::train
