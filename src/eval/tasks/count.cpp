// How many things of each class a picture shows, counted from the boxes that the model gives as evidence.
#include <algorithm>
#include <array>

#include "eval/metrics/confusion.h"
#include "eval/tasks/tasks.h"

namespace sensorium::eval {
namespace {

constexpr std::array<std::string_view, 2> kMetrics = {"count_mae", "count_exact"};

class CountTask : public Task {
 public:
  explicit CountTask(const Overview& overview) : overview_(overview) {}

  void add(Examiner& examiner) override {
    const std::map<std::string, int> truth = true_counts(examiner.record());
    const std::vector<models::AnswerBox> boxes = examiner.evidence(overview_.count_classes);
    for (const std::string& label : overview_.count_classes) {
      const auto counted = std::count_if(boxes.begin(), boxes.end(), [&](const models::AnswerBox& box) {
        return class_key(box.label) == class_key(label);
      });
      const auto known = truth.find(label);
      groups_.add(label, {.prediction = std::to_string(counted),
                          .references = {std::to_string(known == truth.end() ? 0 : known->second)}});
    }
  }

  std::vector<EvalResult> results(const BootstrapOptions& bootstrap) const override {
    std::vector<EvalResult> results = {make_result("count", groups_.all(), kMetrics, bootstrap)};
    if (groups_.size() < 2) return results;
    for (const ItemGroup& group : groups_.split()) {
      if (group.key.empty()) continue;
      results.push_back(make_result("count", group.items, kMetrics, bootstrap));
      results.back().label = group.key;
    }
    return results;
  }

 private:
  const Overview& overview_;
  ItemGroups groups_;
};

}  // namespace

bool carries_count(const data::Record& record) { return !record.image.empty() && !true_counts(record).empty(); }
std::unique_ptr<Task> make_count(const Overview& overview) { return std::make_unique<CountTask>(overview); }

}  // namespace sensorium::eval
