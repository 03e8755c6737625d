// The class of a picture, sound, film or recording by the vectors of the classes' names, without training (Radford 2021).
#include <algorithm>
#include <array>

#include "eval/metrics/confusion.h"
#include "eval/tasks/media_vectors.h"
#include "eval/tasks/tasks.h"
#include "models/embedding/vectors.h"

namespace sensorium::eval {
namespace {

class ZeroShotTask : public Task {
 public:
  explicit ZeroShotTask(const Overview& overview) : overview_(overview) {}

  void add(Examiner& examiner) override {
    const models::Embedder& embedder = *examiner.model().embedder();
    const data::Record& record = examiner.record();
    const auto& [sense, vector_1C] = media_vector(examiner);
    // The labels and their vectors depend on the sense alone.
    const std::vector<std::string>& labels = overview_.labels.find(percept_kind(record))->second;
    Tensor& labels_NC = label_vectors_[sense];
    if (!labels_NC.defined()) labels_NC = models::label_vectors(embedder, labels, models::prompt_templates(sense));
    const Tensor logits = embedder.compare(vector_1C, labels_NC);
    const std::span<const float> values = logits.span<float>();
    const auto best = std::max_element(values.begin(), values.end()) - values.begin();
    items_.push_back({.prediction = labels.at(static_cast<size_t>(best)), .references = {record.label}});
  }

  std::vector<EvalResult> results(const BootstrapOptions& bootstrap) const override {
    EvalResult result = make_result("zero_shot", items_, std::array<std::string_view, 1>{"accuracy"}, bootstrap);
    result.metrics.emplace_back("macro_f1", macro_f1(items_, bootstrap));
    return {result};
  }

 private:
  const Overview& overview_;
  std::map<models::InputSense, Tensor> label_vectors_;
  std::vector<EvalItem> items_;
};

}  // namespace

bool carries_zero_shot(const data::Record& record) { return has_media(record) && !record.label.empty(); }
std::unique_ptr<Task> make_zero_shot(const Overview& overview) { return std::make_unique<ZeroShotTask>(overview); }

}  // namespace sensorium::eval
