// Where lessons come from: a data set's records, or the synthetic world.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "train/lesson.h"
#include "train/recipe.h"

namespace sensorium::train {

class LessonSource {
 public:
  virtual ~LessonSource() = default;
  // Lessons in the source; the world has as many as asked for.
  virtual int64_t size() const = 0;
  // The same index gives the same lesson; thread-safe. Throws Error that names file and line, unsupported for a sense that
  // models lack.
  virtual Lesson get(int64_t index) const = 0;
  // The same without the picture, and how many lessons hold (nearly) every word that the source uses.
  virtual Lesson get_words(int64_t index) const = 0;
  virtual int64_t word_lessons() const { return size(); }
  // Labels of pictures and objects that the source teaches.
  virtual void collect_names(std::set<std::string>& labels, std::set<std::string>& objects) const = 0;
  // Labels of recordings, by the sense's name.
  virtual void collect_recorded(std::map<std::string, std::set<std::string>>& /*labels*/) const {}
};

// A part of a data set: recipe.validation_fraction of the records, chosen by a hash of their content, are kept for tuning.
enum class Part : uint8_t { train, validation };
// Opens the data of a set of the mixture. The world's validation part has 200 lessons of another seed.
std::unique_ptr<LessonSource> open_source(const SetRecipe& set, const Recipe& recipe, Part part);
// The kinds of objects that have boxes in a set's training part, in the order of their names.
std::vector<std::string> boxed_kinds(const SetRecipe& set, const Recipe& recipe);

}  // namespace sensorium::train
