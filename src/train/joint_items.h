// What the joint space of the native model learns from: what its frozen encoders say of pictures and recordings, computed once, and
// the texts that belong to them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "models/sensorium/model.h"
#include "train/lesson_source.h"

namespace sensorium::train {

// A picture or recording in several views.
struct JointItem {
  size_t sense = 0;            // index into JointItems::senses
  int64_t row = 0, views = 0;  // of the sense's features
  int32_t concept_id = 0;      // items of one concept are no contrasts to each other, whatever senses they are of
  std::vector<int32_t> texts;  // that it may be paired with
};

class JointItems {
 public:
  struct SenseFeatures {
    std::string name;
    std::vector<Tensor> rows;  // f32 [views, encoder dim] each
    Tensor features_RC;        // all of them, after finish()
  };

  // Encodes every lesson of a source that has a class or a caption; `views` above one are changed by the set's policy. Says on stderr
  // what it does. Throws Error as the source; interrupted.
  void add(const models::SensoriumModel& model, const LessonSource& source, const SetRecipe& set, int64_t views,
           uint64_t seed, DType compute);
  void finish();

  const std::vector<SenseFeatures>& senses() const { return senses_; }
  // One list a set, in the order of the calls of add().
  const std::vector<std::vector<JointItem>>& sets() const { return sets_; }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  size_t sense_index(const std::string& name);
  int32_t text_index(const std::string& text);
  void describe(JointItem& item, const Lesson& lesson, const SetRecipe& set, const std::string& sense);

  std::vector<SenseFeatures> senses_;
  std::vector<std::vector<JointItem>> sets_;
  std::vector<std::string> texts_;
  std::unordered_map<std::string, int32_t> known_texts_, concepts_;
};

// The cosine above which two items of different senses count as of one concept: where the share of right decisions is highest, with
// both answers, and all pairs of sets that have concepts in common with the other's sense, weighing the same.
// `vectors`: of each sense's rows. `fallback` where no two senses share a concept.
double best_same_cosine(const JointItems& items, const std::vector<Tensor>& vectors_RC, double fallback);

}  // namespace sensorium::train
