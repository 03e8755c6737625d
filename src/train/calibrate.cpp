#include "train/calibrate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>

#include "train/lesson_source.h"

namespace sensorium::train {
namespace {

constexpr int64_t kMostPictures = 250;  // of one set
constexpr std::array<double, 15> kThresholds = {0.10, 0.14, 0.18, 0.22, 0.26, 0.30, 0.34, 0.38,
                                                0.42, 0.46, 0.50, 0.54, 0.58, 0.62, 0.66};

// How well a kind of objects is counted at each threshold.
struct Counting {
  int64_t pictures = 0;
  std::array<int64_t, kThresholds.size()> exact{}, error{};  // pictures; objects too many or too few, in all of them

  // Few pictures tell few thresholds apart. Of those whose share of exact counts is within one standard error of the best share
  // (the rule by which Breiman 1984 prunes trees), the one with the least error: exact counts alone favour thresholds that
  // find next to nothing where many pictures are empty.
  double best_threshold() const {
    const auto share = [&](int64_t hits) { return static_cast<double>(hits) / static_cast<double>(pictures); };
    const double most = share(*std::max_element(exact.begin(), exact.end()));
    const double least = most - std::sqrt(most * (1 - most) / static_cast<double>(pictures));
    std::vector<size_t> best;
    for (size_t t = 0; t < kThresholds.size(); ++t) {
      if (share(exact[t]) < least) continue;
      if (!best.empty() && error[t] < error[best.front()]) best.clear();
      if (best.empty() || error[t] == error[best.front()]) best.push_back(t);
    }
    return kThresholds[best[best.size() / 2]];
  }
};

}  // namespace

void calibrate_thresholds(models::SensoriumModel& model, const std::vector<SetRecipe>& sets, const Recipe& recipe) {
  const NoGrad no_grad;
  const std::vector<std::string>& objects = model.config().heads.objects;
  std::map<std::string, Counting> counted;
  for (const SetRecipe& set : sets) {
    if (set.objects.empty()) continue;
    const std::unique_ptr<LessonSource> source = open_source(set, recipe, Part::validation);
    for (int64_t i = 0; i < std::min(source->size(), kMostPictures); ++i) {
      const Lesson lesson = source->get(i);
      if (!lesson.boxes_known || !lesson.image) continue;
      const media::Image image = modality::resize_for_model(*lesson.image, model.config().prepare);
      const media::Image* pointer = &image;
      const modality::PreparedImages prepared = modality::pack_images({&pointer, 1}, recipe.compute);
      const std::vector<double> least(objects.size(), kThresholds.front());
      const auto found = model.detector().detect(model.detector()(model.encode(prepared), model.object_queries()),
                                                 prepared.pictures, least);
      for (const std::string& object : set.objects) {
        const auto index = std::find(objects.begin(), objects.end(), object) - objects.begin();
        const auto truth = std::count_if(lesson.objects.begin(), lesson.objects.end(),
                                         [&](const Lesson::Object& o) { return o.name == object; });
        Counting& counting = counted[object];
        ++counting.pictures;
        for (size_t t = 0; t < kThresholds.size(); ++t) {
          const auto count = std::count_if(found[0].begin(), found[0].end(), [&](const models::Detection& d) {
            return d.query == index && d.score >= kThresholds[t];
          });
          counting.exact[t] += count == truth ? 1 : 0;
          counting.error[t] += std::abs(count - truth);
        }
      }
    }
  }
  std::vector<double>& thresholds = model.mutable_config().heads.thresholds;
  thresholds.resize(objects.size(), 0.3);
  for (const auto& [object, counting] : counted) {
    const auto index = std::find(objects.begin(), objects.end(), object) - objects.begin();
    if (index < static_cast<int64_t>(objects.size()))
      thresholds[static_cast<size_t>(index)] = counting.best_threshold();
  }
}

}  // namespace sensorium::train
