// Where things are: the model's whole ranking of boxes for the classes that the data set marks.
#include <algorithm>
#include <array>

#include "eval/metrics/detection.h"
#include "eval/tasks/tasks.h"

namespace sensorium::eval {
namespace {

constexpr std::array<std::string_view, 1> kMetrics = {"map50"};
constexpr size_t kMostClasses = 16;  // with figures of their own

// The items as they are for one class.
std::vector<EvalItem> only(std::span<const EvalItem> items, const std::string& label) {
  std::vector<EvalItem> result;
  for (const EvalItem& item : items) {
    EvalItem& kept = result.emplace_back();
    for (const TruthBox& box : item.truth_boxes) {
      if (box.label == label) kept.truth_boxes.push_back(box);
    }
    for (const ScoredBox& box : item.predicted_boxes) {
      if (box.label == label) kept.predicted_boxes.push_back(box);
    }
  }
  return result;
}

class BoxesTask : public Task {
 public:
  explicit BoxesTask(const Overview& overview) : overview_(overview) {}

  void add(Examiner& examiner) override {
    EvalItem& item = items_.emplace_back();
    for (const data::MarkedBox& box : *examiner.record().boxes) {
      item.truth_boxes.push_back({{box.x0, box.y0, box.x1, box.y1}, box.label});
    }
    for (const models::AnswerBox& box : examiner.model().find_objects(*examiner.picture(), overview_.box_classes)) {
      item.predicted_boxes.push_back({{box.x0, box.y0, box.x1, box.y1}, box.label, box.score});
    }
  }

  std::vector<EvalResult> results(const BootstrapOptions& bootstrap) const override {
    // A limited run may meet only pictures without a box: there is nothing to rank then.
    if (!has_truth(items_)) return {};
    std::vector<EvalResult> results = {make_result("boxes", items_, kMetrics, bootstrap)};
    if (overview_.box_classes.size() < 2 || overview_.box_classes.size() > kMostClasses) return results;
    for (const std::string& label : overview_.box_classes) {
      const std::vector<EvalItem> items = only(items_, label);
      if (!has_truth(items)) continue;
      results.push_back(make_result("boxes", items, kMetrics, bootstrap));
      results.back().label = label;
    }
    return results;
  }

 private:
  static bool has_truth(std::span<const EvalItem> items) {
    return std::any_of(items.begin(), items.end(), [](const EvalItem& item) { return !item.truth_boxes.empty(); });
  }

  const Overview& overview_;
  std::vector<EvalItem> items_;
};

}  // namespace

bool carries_boxes(const data::Record& record) { return !record.image.empty() && record.boxes.has_value(); }
std::unique_ptr<Task> make_boxes(const Overview& overview) { return std::make_unique<BoxesTask>(overview); }

}  // namespace sensorium::eval
