#include "server/scheduling/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace sensorium::server {

void Histogram::observe(double seconds) {
  const auto bucket = static_cast<size_t>(std::ranges::lower_bound(kBounds, seconds) - kBounds.begin());
  const std::lock_guard lock(mutex_);
  ++counts_[bucket];
  sum_ += seconds;
}

void Histogram::write(std::string& out, std::string_view name, std::string_view help) const {
  const std::lock_guard lock(mutex_);
  out += fmt::format("# HELP {0} {1}\n# TYPE {0} histogram\n", name, help);
  uint64_t total = 0;
  for (size_t i = 0; i < kBounds.size(); ++i) {
    total += counts_[i];
    out += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name, kBounds[i], total);
  }
  total += counts_.back();
  out += fmt::format("{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", name, total, sum_);
}

void Metrics::count_request(std::string_view route, int status) {
  const std::lock_guard lock(mutex_);
  ++requests_[{std::string(route), status}];
}

std::string Metrics::text() const {
  std::string out;
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
    out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type, value);
  };
  {
    const std::lock_guard lock(mutex_);
    out += "# HELP sensorium_requests_total Requests by route and status\n# TYPE sensorium_requests_total counter\n";
    for (const auto& [key, count] : requests_) {
      out += fmt::format("sensorium_requests_total{{route=\"{}\",status=\"{}\"}} {}\n", key.first, key.second, count);
    }
  }
  one("sensorium_prompt_tokens_total", "counter", "Tokens of prompts", prompt_tokens.load());
  one("sensorium_reused_tokens_total", "counter", "Of those, taken from an earlier prompt", reused_tokens.load());
  one("sensorium_generated_tokens_total", "counter", "Tokens of answers", generated_tokens.load());
  one("sensorium_jobs_done_total", "counter", "Jobs that a model has finished", jobs_done.load());
  one("sensorium_jobs_cancelled_total", "counter", "Jobs dropped because the client left", jobs_cancelled.load());
  one("sensorium_jobs_failed_total", "counter", "Jobs that ended in an error", jobs_failed.load());
  one("sensorium_jobs_refused_total", "counter", "Jobs refused because too many waited", jobs_refused.load());
  one("sensorium_passes_total", "counter", "Passes of a token per answer through a model", passes.load());
  one("sensorium_passed_tokens_total", "counter", "Tokens in those passes: divided by them, the mean batch",
      passed_tokens.load());
  one("sensorium_jobs_waiting", "gauge", "Jobs that wait", waiting.load());
  one("sensorium_answers_running", "gauge", "Answers in the making", running.load());
  first_token_s.write(out, "sensorium_first_token_seconds", "From a request to the first token of its answer");
  prompt_s.write(out, "sensorium_prompt_seconds", "Reading a prompt, its pictures included");
  job_s.write(out, "sensorium_job_seconds", "From a request to the end of its answer");
  return out;
}

}  // namespace sensorium::server
