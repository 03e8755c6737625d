#include "server/scheduling/scheduler.h"

#include <algorithm>
#include <utility>

#include "server/scheduling/scheduler_state.h"

namespace sensorium::server {
namespace {

// Prompts that are read by turns. One more takes its turn behind them; each holds memory meanwhile.
constexpr size_t kMostBeginnings = 4;

}  // namespace

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
    read_prompts();
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

}  // namespace sensorium::server
