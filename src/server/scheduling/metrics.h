// Counts and times for /metrics, in Prometheus' text format (version 0.0.4).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace sensorium::server {

// A distribution of seconds. Thread-safe.
class Histogram {
 public:
  static constexpr std::array<double, 12> kBounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60};
  void observe(double seconds);
  void write(std::string& out, std::string_view name, std::string_view help) const;

 private:
  mutable std::mutex mutex_;
  std::array<uint64_t, kBounds.size() + 1> counts_{};
  double sum_ = 0;
};

// Thread-safe.
struct Metrics {
  std::atomic<uint64_t> prompt_tokens{0}, reused_tokens{0}, generated_tokens{0};
  std::atomic<uint64_t> jobs_done{0}, jobs_cancelled{0}, jobs_failed{0}, jobs_refused{0};
  std::atomic<uint64_t> passes{0}, passed_tokens{0};
  std::atomic<int64_t> waiting{0}, running{0};
  Histogram first_token_s, prompt_s, job_s;

  void count_request(std::string_view route, int status);
  std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, uint64_t> requests_;  // by route and status
};

}  // namespace sensorium::server
