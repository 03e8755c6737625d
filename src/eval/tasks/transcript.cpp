// What is written in a picture or said in a recording, word by word and letter by letter.
#include <algorithm>
#include <array>

#include "eval/tasks/tasks.h"

namespace sensorium::eval {
namespace {

constexpr const char *kReadQuestion = "What does the text say?", *kHearQuestion = "What is said?";
constexpr std::array<std::string_view, 2> kMetrics = {"wer", "cer"};

class TranscriptTask : public Task {
 public:
  void add(Examiner& examiner) override {
    const data::Record& record = examiner.record();
    // The set's own question, if it asks for the text.
    const auto own = std::find_if(record.questions.begin(), record.questions.end(),
                                  [&](const data::QuestionAnswer& qa) { return qa.answer == record.transcript; });
    const std::string question = own != record.questions.end() ? own->question
                                 : record.image.empty()        ? kHearQuestion
                                                               : kReadQuestion;
    items_.push_back({.prediction = examiner.ask(question).text, .references = {record.transcript}});
  }
  std::vector<EvalResult> results(const BootstrapOptions& bootstrap) const override {
    return {make_result("transcript", items_, kMetrics, bootstrap)};
  }

 private:
  std::vector<EvalItem> items_;
};

}  // namespace

// Where the text is but the class in words ("zero"), there is nothing to spell.
bool carries_transcript(const data::Record& record) {
  return !record.transcript.empty() && record.transcript != record.label;
}
std::unique_ptr<Task> make_transcript(const Overview&) { return std::make_unique<TranscriptTask>(); }

}  // namespace sensorium::eval
