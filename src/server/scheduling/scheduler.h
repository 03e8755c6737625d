// Runs the jobs of all requests: one thread, and in every pass through a model a token for each answer in the making
// (continuous batching). Between passes a part of a prompt is read, so that answers go on while others begin, however long
// their prompts are; several prompts take turns.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "server/scheduling/fair_queue.h"
#include "server/scheduling/job.h"
#include "server/scheduling/metrics.h"
#include "server/scheduling/model_pool.h"

namespace sensorium::server {

struct SchedulerOptions {
  size_t max_running = 64;   // answers that advance together
  size_t max_waiting = 256;  // jobs; beyond, submit() refuses
};

// Thread-safe.
class Scheduler {
 public:
  // Both must outlive the scheduler.
  Scheduler(ModelPool& models, Metrics& metrics, const SchedulerOptions& options = {});
  // Fails what is left (JobSink::Fault::shutdown).
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // False: too many are waiting; the sink hears nothing. Throws Error(not_found) for a model that the pool has not.
  bool submit(Job job);
  // How long until a refused client may try again: a guess from how long jobs have taken.
  int64_t retry_after_s() const;

 private:
  struct Waiting;
  struct Running;
  struct Beginning;
  struct Answer;
  using WaitingPtr = std::shared_ptr<Waiting>;

  void loop();
  void drop_unwanted();
  void take_waiting();
  // Whether there was one to take.
  bool take_one();
  // Parts of prompts, for as long as answers may wait.
  void read_prompts();
  void begin(const WaitingPtr& waiting, const std::shared_ptr<LoadedModel>& model);
  // A part of the prompt whose turn it is.
  void advance_one();
  void advance(Beginning& beginning);
  void start_answers(Beginning& beginning);
  void step_all();
  void step(std::vector<Answer*>& answers);
  void tell(Answer& answer);
  void finish(Answer& answer, std::optional<generate::StopReason> stop);
  void fail_job(Running& running, JobSink::Fault fault, const Error& error);
  void update_gauges();

  ModelPool& models_;
  Metrics& metrics_;
  const SchedulerOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  FairQueue<WaitingPtr> waiting_;
  std::atomic<size_t> running_count_{0};
  std::atomic<double> job_seconds_{1};  // a moving average
  bool changed_ = false, stopping_ = false;
  // Of the scheduler's thread alone.
  std::deque<std::unique_ptr<Beginning>> beginnings_;  // the one whose turn it is first
  std::vector<std::unique_ptr<Answer>> answers_;
  double pass_seconds_ = 0;  // of the last pass of all answers
  std::thread thread_;
};

}  // namespace sensorium::server
