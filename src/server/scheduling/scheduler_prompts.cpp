// From a job that has been taken to the first token of its answers: prompts are read in parts, by turns.
#include <algorithm>
#include <new>
#include <utility>

#include "server/scheduling/media_note.h"
#include "server/scheduling/scheduler_state.h"

namespace sensorium::server {
namespace {

// Rows of a part of a prompt: as many as keep the products at full speed where nobody waits for a token; else so many that the
// part takes about as long as a pass of the answers that wait, or this time if that is longer.
constexpr int64_t kMostRows = 512, kLeastRows = 16, kFirstRows = 64;
constexpr double kPartSeconds = 0.05;

// What the job asks about is not needed any more.
std::unique_ptr<models::ChatSession> begin_session(Job& job, const LoadedModel& loaded) {
  const models::Model& model = *loaded.model;
  if (const std::optional<RawPrompt> prompt = std::exchange(job.prompt, std::nullopt)) {
    const auto* const text = std::get_if<std::string>(&*prompt);
    return model.begin_tokens(text != nullptr ? model.encode_prompt(*text) : std::get<std::vector<int32_t>>(*prompt));
  }
  std::vector<models::ChatMessage> messages = std::move(job.messages);
  if (job.mark_media && loaded.description.contains("chat_template")) add_media_note(messages);
  return model.begin(messages);
}

}  // namespace

void Scheduler::begin(const WaitingPtr& waiting, const std::shared_ptr<LoadedModel>& model) {
  auto beginning = std::make_unique<Beginning>();
  beginning->running = std::make_shared<Running>();
  Running& running = *beginning->running;
  running.job = std::move(waiting->job);
  running.model = model;
  running.since = waiting->since;
  beginnings_.push_back(std::move(beginning));
}

// A long prompt's part takes all the time; of short ones several are read, so that many that come at once do not each wait for
// a pass of all answers.
void Scheduler::read_prompts() {
  const Clock::time_point start = Clock::now();
  do {
    take_waiting();
    advance_one();
  } while (!beginnings_.empty() && seconds_since(start) < kPartSeconds / 2);
}

void Scheduler::advance_one() {
  if (beginnings_.empty()) return;
  std::unique_ptr<Beginning> beginning = std::move(beginnings_.front());
  beginnings_.pop_front();
  Running& running = *beginning->running;
  try {
    const Clock::time_point start = Clock::now();
    advance(*beginning);
    beginning->seconds += seconds_since(start);
    if (beginning->over && !running.job.task) start_answers(*beginning);
    if (beginning->over && running.left == 0) {
      running.over = true;
      ++metrics_.jobs_done;
      running.job.sink->done();
    }
  } catch (const Error& error) {
    fail_job(running, fault_of(error), error);
  } catch (const std::bad_alloc&) {
    fail_job(running, JobSink::Fault::overload, Error(ErrorKind::limit, "out of memory"));
  } catch (const std::exception& error) {
    fail_job(running, JobSink::Fault::server, Error(ErrorKind::io, error.what()));
  }
  if (!beginning->over && !running.over) beginnings_.push_back(std::move(beginning));
}

void Scheduler::advance(Beginning& beginning) {
  Running& running = *beginning.running;
  LoadedModel& loaded = *running.model;
  if (running.job.task) {
    beginning.over = running.job.task->step({running.model, loaded.model.get()});
    return;
  }
  if (!beginning.session) {
    // Pictures are looked at here; that may have been enough for one turn.
    const Clock::time_point start = Clock::now();
    beginning.session = begin_session(running.job, loaded);
    if (!answers_.empty() && seconds_since(start) > kPartSeconds) return;
  }
  int64_t rows = kMostRows;
  if (!answers_.empty()) {
    const double seconds = std::max(kPartSeconds, pass_seconds_);
    rows = loaded.row_seconds > 0 ? static_cast<int64_t>(std::min(seconds / loaded.row_seconds, 1e6)) : kFirstRows;
    rows = std::clamp(rows, kLeastRows, kMostRows);
  }
  const Clock::time_point start = Clock::now();
  beginning.over = beginning.session->read_prompt(rows);
  // A last part may be short; it says little about the others.
  if (!beginning.over || loaded.row_seconds == 0) {
    const int64_t read = std::min(rows, beginning.session->prompt_tokens());
    loaded.row_seconds = seconds_since(start) / static_cast<double>(std::max<int64_t>(read, 1));
  }
}

// The prompt has been read.
void Scheduler::start_answers(Beginning& beginning) {
  const std::shared_ptr<Running> running = beginning.running;
  const std::shared_ptr<LoadedModel>& model = running->model;
  std::unique_ptr<models::ChatSession> session = std::move(beginning.session);
  Job& job = running->job;
  metrics_.prompt_s.observe(beginning.seconds);
  metrics_.prompt_tokens += static_cast<uint64_t>(session->prompt_tokens());
  metrics_.reused_tokens += static_cast<uint64_t>(session->reused_tokens());
  // Known now and not when the first token is chosen: an answer that streams has begun by then.
  for (const auto& [token, bias] : job.options.sampling.logit_bias) {
    require(token < static_cast<int64_t>(session->logits().size()), ErrorKind::usage,
            "logit_bias: token {} is outside the vocabulary of {}", token, session->logits().size());
  }
  generate::GenerateOptions options = job.options;
  if (job.grammar) options.constraint = model->constraint(job.grammar);
  std::vector<std::unique_ptr<Answer>> answers;
  for (int64_t i = 0; i < job.samples; ++i) {
    auto answer = std::make_unique<Answer>();
    answer->running = running;
    answer->sample = i;
    answer->session = i + 1 < job.samples ? session->fork() : nullptr;
    if (i + 1 == job.samples) answer->session = std::move(session);
    generate::GenerateOptions own = options;
    own.sampling.seed += static_cast<uint64_t>(i);
    Answer* const raw = answer.get();
    answer->generation = std::make_unique<generate::Generation>(*answer->session, own,
                                                                [raw](std::string_view piece) { raw->piece += piece; });
    answers.push_back(std::move(answer));
  }
  running->left = answers.size();
  const models::ChatSession& any = answers.empty() ? *session : *answers.front()->session;
  job.sink->started(any.prompt_tokens(), any.reused_tokens());
  for (std::unique_ptr<Answer>& answer : answers) answers_.push_back(std::move(answer));
}

}  // namespace sensorium::server
