#include "server/scheduling/scheduler.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/log.h"
#include "server/scheduling/media_note.h"
#include "text/grammar/constraint.h"

namespace sensorium::server {
namespace {

// Prompts that are read by turns. One more takes its turn behind them; each holds memory meanwhile.
constexpr size_t kMostBeginnings = 4;
// Rows of a part of a prompt: as many as keep the products at full speed where nobody waits for a token; else so many that the
// part takes about as long as a pass of the answers that wait, or this time if that is longer.
constexpr int64_t kMostRows = 512, kLeastRows = 16, kFirstRows = 64;
constexpr double kPartSeconds = 0.05;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Whose fault an error of a model is.
JobSink::Fault fault_of(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::usage:
    case ErrorKind::not_found:
    case ErrorKind::invalid_data:
    case ErrorKind::unsupported:
    case ErrorKind::limit:
      return JobSink::Fault::request;
    case ErrorKind::interrupted:
      return JobSink::Fault::shutdown;
    default:
      return JobSink::Fault::server;
  }
}

}  // namespace

struct Scheduler::Waiting {
  Job job;
  Clock::time_point since = Clock::now();
};

// A job whose answers are in the making.
struct Scheduler::Running {
  Job job;
  std::shared_ptr<LoadedModel> model;
  Clock::time_point since;  // it was submitted
  size_t left = 0;          // answers
  bool over = false;        // failed, or nobody wants it
  bool first_token_told = false;
};

// A job that a model works on and that has no answer yet: its prompt is being read, or its task done.
struct Scheduler::Beginning {
  std::shared_ptr<Running> running;
  std::unique_ptr<models::ChatSession> session;  // none: not begun with yet
  double seconds = 0;                            // that it took so far
  bool over = false;
};

struct Scheduler::Answer {
  std::shared_ptr<Running> running;
  int64_t sample = 0;
  std::unique_ptr<models::ChatSession> session;
  std::unique_ptr<generate::Generation> generation;
  std::string piece;  // of text that the sink has not heard
  size_t told_log_probabilities = 0;
  int32_t token = 0;  // that the session accepts in this pass
  bool over = false;
};

Scheduler::Scheduler(ModelPool& models, Metrics& metrics, const SchedulerOptions& options)
    : models_(models), metrics_(metrics), options_(options) {
  models_.on_change([this] {
    const std::lock_guard lock(mutex_);
    changed_ = true;
    wake_.notify_all();
  });
  thread_ = std::thread([this] { loop(); });
}

Scheduler::~Scheduler() {
  models_.on_change({});
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool Scheduler::submit(Job job) {
  require(models_.has(job.model), ErrorKind::not_found, "there is no model \"{}\"", job.model);
  const std::lock_guard lock(mutex_);
  if (stopping_ || waiting_.size() >= options_.max_waiting) {
    ++metrics_.jobs_refused;
    return false;
  }
  const std::string client = job.client;
  waiting_.push(client, std::make_shared<Waiting>(Waiting{.job = std::move(job)}));
  metrics_.waiting = static_cast<int64_t>(waiting_.size());
  changed_ = true;
  wake_.notify_all();
  return true;
}

int64_t Scheduler::retry_after_s() const {
  const std::lock_guard lock(mutex_);
  const double rounds = 1.0 + static_cast<double>(waiting_.size()) / static_cast<double>(options_.max_running);
  return std::clamp<int64_t>(static_cast<int64_t>(rounds * job_seconds_.load() + 0.5), 1, 60);
}

void Scheduler::loop() {
  for (bool busy = false;;) {
    {
      std::unique_lock lock(mutex_);
      // Clients that leave and deadlines that pass are looked for while jobs wait for a model.
      if (!busy) {
        wake_.wait_for(lock, std::chrono::milliseconds(waiting_.size() > 0 ? 100 : 60'000),
                       [&] { return changed_ || stopping_; });
      }
      changed_ = false;
      if (stopping_) break;
    }
    drop_unwanted();
    take_waiting();
    advance_one();
    step_all();
    busy = !beginnings_.empty() || !answers_.empty();
    update_gauges();
  }
  const Error stopped(ErrorKind::interrupted, "the server is being stopped");
  for (const auto& beginning : beginnings_) fail_job(*beginning->running, JobSink::Fault::shutdown, stopped);
  for (const std::unique_ptr<Answer>& answer : answers_) fail_job(*answer->running, JobSink::Fault::shutdown, stopped);
  beginnings_.clear();
  answers_.clear();
  const std::lock_guard lock(mutex_);
  waiting_.remove_if([&](const WaitingPtr& waiting) {
    waiting->job.sink->failed(JobSink::Fault::shutdown, stopped);
    return true;
  });
}

void Scheduler::update_gauges() {
  metrics_.running = static_cast<int64_t>(answers_.size());
  const std::lock_guard lock(mutex_);
  metrics_.waiting = static_cast<int64_t>(waiting_.size());
}

// Drops the jobs whose clients have left or whose time is over.
void Scheduler::drop_unwanted() {
  const Clock::time_point now = Clock::now();
  const Error late(ErrorKind::limit, "the request took longer than this server allows");
  std::vector<WaitingPtr> too_late;
  {
    const std::lock_guard lock(mutex_);
    waiting_.remove_if([&](const WaitingPtr& waiting) {
      if (!waiting->job.sink->wanted()) {
        ++metrics_.jobs_cancelled;
        return true;
      }
      if (now < waiting->job.deadline) return false;
      too_late.push_back(waiting);
      return true;
    });
  }
  for (const WaitingPtr& waiting : too_late) {
    ++metrics_.jobs_failed;
    waiting->job.sink->failed(JobSink::Fault::deadline, late);
  }
  const auto look = [&](Running& running) {
    if (!running.over && !running.job.sink->wanted()) {
      ++metrics_.jobs_cancelled;
      running.over = true;
    } else if (!running.over && now >= running.job.deadline) {
      fail_job(running, JobSink::Fault::deadline, late);
    }
  };
  for (const std::unique_ptr<Beginning>& beginning : beginnings_) look(*beginning->running);
  for (const std::unique_ptr<Answer>& answer : answers_) look(*answer->running);
  std::erase_if(beginnings_, [](const std::unique_ptr<Beginning>& beginning) { return beginning->running->over; });
  std::erase_if(answers_, [](const std::unique_ptr<Answer>& answer) { return answer->running->over; });
}

void Scheduler::fail_job(Running& running, JobSink::Fault fault, const Error& error) {
  if (std::exchange(running.over, true)) return;
  ++metrics_.jobs_failed;
  running.job.sink->failed(fault, error);
}

void Scheduler::take_waiting() {
  while (beginnings_.size() < kMostBeginnings && take_one()) {
  }
}

// Takes the next job whose model is there and whose answers have room.
bool Scheduler::take_one() {
  size_t taken = answers_.size();
  for (const std::unique_ptr<Beginning>& beginning : beginnings_) {
    taken += static_cast<size_t>(beginning->running->job.samples);
  }
  if (taken >= options_.max_running) return false;
  WaitingPtr next;
  std::shared_ptr<LoadedModel> model;
  std::optional<Error> unloadable;
  {
    const std::lock_guard lock(mutex_);
    next = waiting_.take([&](const WaitingPtr& waiting) {
      if (waiting->job.samples > 1 && taken > 0 &&
          taken + static_cast<size_t>(waiting->job.samples) > options_.max_running)
        return false;
      try {
        model = models_.get(waiting->job.model);
      } catch (const Error& error) {
        unloadable = error;
      }
      return model != nullptr || unloadable.has_value();
    });
  }
  if (!next) return false;
  if (unloadable) {
    ++metrics_.jobs_failed;
    next->job.sink->failed(JobSink::Fault::server, *unloadable);
  } else {
    begin(next, model);
  }
  return true;
}

void Scheduler::begin(const WaitingPtr& waiting, const std::shared_ptr<LoadedModel>& model) {
  auto beginning = std::make_unique<Beginning>();
  beginning->running = std::make_shared<Running>();
  Running& running = *beginning->running;
  running.job = std::move(waiting->job);
  running.model = model;
  running.since = waiting->since;
  beginnings_.push_back(std::move(beginning));
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
    if (running.job.mark_media && loaded.description.contains("chat_template")) add_media_note(running.job.messages);
    beginning.session = loaded.model->begin(running.job.messages);
    std::vector<models::ChatMessage>().swap(running.job.messages);
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
  if (job.grammar) {
    options.constraint =
        std::make_shared<text::grammar::Constraint>(job.grammar, model->tokens(), model->model->tokenizer());
  }
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

void Scheduler::tell(Answer& answer) {
  Running& running = *answer.running;
  const std::span<const generate::TokenLogProbabilities> all = answer.generation->token_log_probabilities();
  const auto fresh = all.subspan(std::min(answer.told_log_probabilities, all.size()));
  if (answer.piece.empty() && fresh.empty()) return;
  if (!std::exchange(running.first_token_told, true)) metrics_.first_token_s.observe(seconds_since(running.since));
  running.job.sink->text(answer.sample, answer.piece, fresh, running.model->model->tokenizer());
  answer.told_log_probabilities = all.size();
  answer.piece.clear();
}

void Scheduler::finish(Answer& answer, std::optional<generate::StopReason> stop) {
  Running& running = *answer.running;
  answer.over = true;
  // What finish() adds to the text is told with it; its log-probabilities have been.
  const generate::Generated generated = answer.generation->finish(stop);
  if (!answer.piece.empty()) {
    running.job.sink->text(answer.sample, answer.piece, {}, running.model->model->tokenizer());
    answer.piece.clear();
  }
  if (running.job.tell_heats) {
    if (const auto* const source = dynamic_cast<const models::HeatSource*>(answer.session.get()))
      running.job.sink->heats(answer.sample, source->heats(generated.answer.text));
  }
  running.job.sink->finished(answer.sample, generated, running.model->model->tokenizer());
  if (--running.left > 0) return;
  running.over = true;
  ++metrics_.jobs_done;
  const double seconds = seconds_since(running.since);
  metrics_.job_s.observe(seconds);
  job_seconds_ = 0.9 * job_seconds_ + 0.1 * seconds;
  running.job.sink->done();
}

// A token for every answer: the answers of one model in one pass.
void Scheduler::step_all() {
  std::vector<std::pair<LoadedModel*, std::vector<Answer*>>> groups;
  for (const std::unique_ptr<Answer>& answer : answers_) {
    if (answer->over || answer->running->over) continue;
    try {
      const size_t before = answer->generation->tokens().size();
      const std::optional<int32_t> token = answer->generation->step();
      metrics_.generated_tokens += answer->generation->tokens().size() - before;
      tell(*answer);
      if (!token) {
        finish(*answer, std::nullopt);
        continue;
      }
      answer->token = *token;
    } catch (const Error& error) {
      fail_job(*answer->running, fault_of(error), error);
      continue;
    } catch (const std::exception& error) {
      fail_job(*answer->running, JobSink::Fault::server, Error(ErrorKind::io, error.what()));
      continue;
    }
    LoadedModel* const model = answer->running->model.get();
    auto group = std::ranges::find_if(groups, [&](const auto& known) { return known.first == model; });
    if (group == groups.end()) group = groups.insert(groups.end(), {model, {}});
    group->second.push_back(answer.get());
  }
  const Clock::time_point start = Clock::now();
  for (auto& [model, answers] : groups) step(answers);
  pass_seconds_ = groups.empty() ? 0 : seconds_since(start);
  std::erase_if(answers_, [](const std::unique_ptr<Answer>& answer) { return answer->over || answer->running->over; });
}

void Scheduler::step(std::vector<Answer*>& answers) {
  while (!answers.empty()) {
    std::erase_if(answers, [](const Answer* answer) { return answer->running->over; });
    std::vector<models::ChatSession*> sessions;
    std::vector<int32_t> tokens;
    for (Answer* const answer : answers) {
      sessions.push_back(answer->session.get());
      tokens.push_back(answer->token);
    }
    if (sessions.empty()) return;
    try {
      sessions.front()->accept_all(sessions, tokens);
      ++metrics_.passes;
      metrics_.passed_tokens += sessions.size();
      return;
    } catch (const Error& error) {
      // Memory is reserved before anything is computed, so the others go on without the youngest.
      const JobSink::Fault fault = error.kind() == ErrorKind::limit ? JobSink::Fault::overload : fault_of(error);
      fail_job(*answers.back()->running, fault, error);
    } catch (const std::bad_alloc&) {
      fail_job(*answers.back()->running, JobSink::Fault::overload, Error(ErrorKind::limit, "out of memory"));
    }
  }
}

}  // namespace sensorium::server
