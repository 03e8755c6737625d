// What the scheduler keeps of the jobs that it works on: shared by the files that implement it, and by nothing else.
#pragma once

#include <memory>
#include <string>

#include "server/scheduling/scheduler.h"

namespace sensorium::server {

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Whose fault an error of a model is.
inline JobSink::Fault fault_of(const Error& error) {
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

}  // namespace sensorium::server
