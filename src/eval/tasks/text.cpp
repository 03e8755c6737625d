// How well the model predicts running text.
#include <array>
#include <tuple>

#include "eval/tasks/tasks.h"

namespace sensorium::eval {
namespace {

constexpr std::array<std::string_view, 1> kMetrics = {"perplexity"};

class TextTask : public Task {
 public:
  void add(Examiner& examiner) override {
    EvalItem item;
    std::tie(item.negative_log_likelihood, item.tokens) = examiner.model().text_nll(examiner.record().text);
    if (item.tokens > 0) items_.push_back(std::move(item));
  }
  std::vector<EvalResult> results(const BootstrapOptions& bootstrap) const override {
    require(!items_.empty(), ErrorKind::invalid_data, "text: every text is too short to predict a token of it");
    return {make_result("text", items_, kMetrics, bootstrap)};
  }

 private:
  std::vector<EvalItem> items_;
};

}  // namespace

bool carries_text(const data::Record& record) { return !record.text.empty(); }
std::unique_ptr<Task> make_text(const Overview&) { return std::make_unique<TextTask>(); }

}  // namespace sensorium::eval
