// Descriptions of pictures, compared with what people wrote.
#include <array>

#include "eval/tasks/tasks.h"

namespace sensorium::eval {
namespace {

constexpr const char* kQuestion = "Describe the picture.";
constexpr std::array<std::string_view, 2> kMetrics = {"bleu4", "cider"};

class CaptionTask : public Task {
 public:
  void add(Examiner& examiner) override {
    items_.push_back({.prediction = examiner.ask(kQuestion).text, .references = examiner.record().captions});
  }
  std::vector<EvalResult> results(const BootstrapOptions& bootstrap) const override {
    return {make_result("caption", items_, kMetrics, bootstrap)};
  }

 private:
  std::vector<EvalItem> items_;
};

}  // namespace

bool carries_caption(const data::Record& record) { return !record.image.empty() && !record.captions.empty(); }
std::unique_ptr<Task> make_caption(const Overview&) { return std::make_unique<CaptionTask>(); }

}  // namespace sensorium::eval
