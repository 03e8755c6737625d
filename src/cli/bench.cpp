#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <regex>

#include "base/interrupt.h"
#include "base/threads.h"
#include "cli/bench/cases.h"
#include "cli/bench/peaks.h"
#include "cli/command.h"

namespace sensorium::cli {
namespace {

struct BenchOptions {
  std::string filter = ".*", model = "default", trace;
  double seconds = 0.5;
  int threads = 0;
  bool json = false, samples = false;
};

struct Timing {
  double median_ms, p10_ms, p90_ms;
  std::vector<double> sorted_ms;  // all runs
};

Timing time_runs(const std::function<void()>& run, double seconds) {
  using Clock = std::chrono::steady_clock;
  run();
  run();
  std::vector<double> times;
  const auto start = Clock::now();
  while (times.size() < 5 || std::chrono::duration<double>(Clock::now() - start).count() < seconds) {
    check_interrupted();
    const auto begin = Clock::now();
    run();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    if (times.size() >= 10000) break;
  }
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[static_cast<size_t>(share * static_cast<double>(times.size() - 1))];
  };
  return {at(0.5), at(0.1), at(0.9), times};
}

double ceiling(const MachinePeaks& peaks, Peak peak) {
  switch (peak) {
    case Peak::f32:
      return peaks.f32_gflops;
    case Peak::bf16:
      return peaks.bf16_gflops;
    case Peak::int8:
      return peaks.int8_gops;
    case Peak::read:
      return peaks.read_gb_s;
  }
  return 0;
}

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

// Instead of timing: the chosen cases write their traces.
void trace(const std::vector<BenchCase>& cases, const std::regex& filter, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require(!error, ErrorKind::io, "cannot create the folder {}: {}", folder.string(), error.message());
  bool any = false;
  for (const BenchCase& test : cases) {
    if (!test.trace || !std::regex_search(test.name, filter)) continue;
    test.trace(folder);
    any = true;
  }
  require(any, ErrorKind::usage, "--trace: no case that --filter chooses writes a trace; those named train/ do");
}

void bench(const BenchOptions& options) {
  if (options.threads > 0) set_thread_count(options.threads);
  std::regex filter;
  try {
    filter = std::regex(options.filter);
  } catch (const std::regex_error&) {
    fail(ErrorKind::usage, "--filter \"{}\" is not a regular expression", options.filter);
  }
  std::vector<BenchCase> cases = matrix_cases();
  for (auto& group : {training_cases(), model_cases(options.model)})
    cases.insert(cases.end(), group.begin(), group.end());
  if (!options.trace.empty()) return trace(cases, filter, options.trace);

  const MachinePeaks peaks = measure_peaks();
  OrderedJson json;
  json["machine"] = {{"f32_peak_gflops", rounded(peaks.f32_gflops)},
                     {"bf16_peak_gflops", rounded(peaks.bf16_gflops)},
                     {"int8_peak_gops", rounded(peaks.int8_gops)},
                     {"read_gb_s", rounded(peaks.read_gb_s)},
                     {"threads", thread_count()},
                     {"cpu", cpu_name()}};
  json["results"] = OrderedJson::array();
  if (!options.json) {
    std::puts(
        fmt::format("{}, {} threads: f32 {:.0f} GFLOP/s, bf16 {:.0f} GFLOP/s, int8 {:.0f} GOP/s, read {:.1f} GB/s",
                    cpu_name(), thread_count(), peaks.f32_gflops, peaks.bf16_gflops, peaks.int8_gops, peaks.read_gb_s)
            .c_str());
    std::puts(fmt::format("{:<34} {:>10} {:>10} {:>10} {:>10} {:>8} {:>8}", "", "median ms", "p10", "p90", "GFLOP/s",
                          "GB/s", "of peak")
                  .c_str());
  }
  for (const BenchCase& test : cases) {
    if (!std::regex_search(test.name, filter)) continue;
    const Timing timing = time_runs(test.prepare(), options.seconds);
    const double gflops = test.operations / timing.median_ms / 1e6, gb_s = test.bytes / timing.median_ms / 1e6;
    const double reached = test.peak == Peak::read ? gb_s : gflops;
    const double of_peak = reached / ceiling(peaks, test.peak);
    OrderedJson result{{"name", test.name},
                       {"threads", thread_count()},
                       {"median_ms", rounded(timing.median_ms)},
                       {"p10_ms", rounded(timing.p10_ms)},
                       {"p90_ms", rounded(timing.p90_ms)}};
    if (test.operations > 0) result["gflops"] = rounded(gflops);
    if (test.bytes > 0) result["gb_s"] = rounded(gb_s);
    if (test.operations > 0) result["of_peak"] = rounded(of_peak);
    if (options.samples) result["samples_ms"] = timing.sorted_ms;
    json["results"].push_back(result);
    if (!options.json) {
      std::puts(fmt::format("{:<34} {:>10.3f} {:>10.3f} {:>10.3f} {:>10.1f} {:>8.1f} {:>8.2f}", test.name,
                            timing.median_ms, timing.p10_ms, timing.p90_ms, gflops, gb_s, of_peak)
                    .c_str());
      std::fflush(stdout);
    }
  }
  if (options.json) std::puts(json.dump().c_str());
}

}  // namespace

void add_bench(CLI::App& app) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand("bench", "Measure this machine's peaks and the program's speed");
  command->add_option("--filter", options->filter, "Regular expression of the names to run")->capture_default_str();
  command->add_option("--threads", options->threads, "Threads to compute with (default: all processors)");
  command->add_option("--seconds", options->seconds, "Least time per case")->capture_default_str();
  command->add_option("--model,-m", options->model, "Model of encode/ and decode/")->capture_default_str();
  command->add_option(
      "--trace", options->trace,
      "Instead of timing, write the start, the batch and the first ten losses of the train/ cases to this folder");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->add_flag("--samples", options->samples, "With --json: the time of every run too, sorted");
  command->footer("Example:\n  sensorium bench --filter 'gemm/bf16' --threads 1");
  command->callback([options] { bench(*options); });
}

}  // namespace sensorium::cli
