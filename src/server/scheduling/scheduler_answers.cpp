// From the first token of an answer to its end: one pass through a model brings a token to each of its answers.
#include <algorithm>
#include <new>
#include <utility>

#include "server/scheduling/scheduler_state.h"

namespace sensorium::server {

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
