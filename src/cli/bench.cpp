#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>
#include <regex>
#include <set>

#include "base/interrupt.h"
#include "base/threads.h"
#include "cli/bench/cases.h"
#include "cli/bench/peaks.h"
#include "cli/command.h"

namespace sensorium::cli {
namespace {

// Of each of the machine's ceilings, about 40 ms together.
constexpr int kBurstsAtEnds = 20, kBurstsBetween = 4;

struct BenchOptions {
  std::string filter = ".*", model = "default", trace;
  double seconds = 0.5;
  bool json = false, samples = false;
};

using Clock = std::chrono::steady_clock;

struct Timing {
  double median_ms, p10_ms, p90_ms;
  std::vector<double> sorted_ms;  // all runs
};

Timing time_runs(const std::function<void()>& run, double seconds) {
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
void trace(const std::vector<BenchCase>& cases, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require(!error, ErrorKind::io, "cannot create the folder {}: {}", folder.string(), error.message());
  bool any = false;
  for (const BenchCase& test : cases) {
    if (!test.trace) continue;
    test.trace(folder);
    any = true;
  }
  require(any, ErrorKind::usage, "--trace: no case that --filter chooses writes a trace; those named train/ do");
}

std::vector<BenchCase> chosen_cases(const BenchOptions& options) {
  std::regex filter;
  try {
    filter = std::regex(options.filter);
  } catch (const std::regex_error&) {
    fail(ErrorKind::usage, "--filter \"{}\" is not a regular expression", options.filter);
  }
  std::vector<BenchCase> chosen;
  std::set<std::string> groups;
  for (auto& group : {matrix_cases(), training_cases(), model_cases(options.model)}) {
    for (const BenchCase& test : group) {
      groups.insert(test.name.substr(0, test.name.find('/') + 1));
      if (!std::regex_search(test.name, filter)) continue;
      chosen.push_back(test);
      if (test.count && options.trace.empty()) test.count(chosen.back());
    }
  }
  require(!chosen.empty(), ErrorKind::usage, "--filter \"{}\" chooses no case; their names begin with {}",
          options.filter, fmt::join(groups, ", "));
  return chosen;
}

// What a case reached; none: not counted.
struct Reached {
  std::optional<double> gflops, gb_s, of_peak;
};

Reached reached(const BenchCase& test, const Timing& timing, const MachinePeaks& peaks) {
  Reached result;
  if (test.operations > 0) result.gflops = test.operations / timing.median_ms / 1e6;
  if (test.bytes > 0) result.gb_s = test.bytes / timing.median_ms / 1e6;
  const std::optional<double>& rate = test.peak == Peak::read ? result.gb_s : result.gflops;
  if (rate) result.of_peak = *rate / ceiling(peaks, test.peak);
  return result;
}

void print_row(const BenchCase& test, const Timing& timing, const Reached& result) {
  const auto cell = [](const std::optional<double>& value, int width, int digits) {
    return value ? fmt::format("{:>{}.{}f}", *value, width, digits) : fmt::format("{:>{}}", "-", width);
  };
  std::puts(fmt::format("{:<34} {:>10.3f} {:>10.3f} {:>10.3f} {} {} {}", test.name, timing.median_ms, timing.p10_ms,
                        timing.p90_ms, cell(result.gflops, 10, 1), cell(result.gb_s, 8, 1), cell(result.of_peak, 8, 2))
                .c_str());
  std::fflush(stdout);
}

OrderedJson result_json(const BenchCase& test, const Timing& timing, const Reached& result) {
  const auto number = [](const std::optional<double>& value) {
    return value ? OrderedJson(rounded(*value)) : OrderedJson();
  };
  return {{"name", test.name},
          {"threads", thread_count()},
          {"median_ms", rounded(timing.median_ms)},
          {"p10_ms", rounded(timing.p10_ms)},
          {"p90_ms", rounded(timing.p90_ms)},
          {"gflops", number(result.gflops)},
          {"gb_s", number(result.gb_s)},
          {"of_peak", number(result.of_peak)}};
}

OrderedJson machine_json(const MachinePeaks& peaks) {
  return {{"f32_peak_gflops", rounded(peaks.f32_gflops)},
          {"bf16_peak_gflops", rounded(peaks.bf16_gflops)},
          {"int8_peak_gops", rounded(peaks.int8_gops)},
          {"read_gb_s", rounded(peaks.read_gb_s)},
          {"threads", thread_count()},
          {"cpu", cpu_name()}};
}

void bench(const BenchOptions& options) {
  const std::vector<BenchCase> cases = chosen_cases(options);
  if (!options.trace.empty()) return trace(cases, options.trace);

  PeakMeter peaks;
  peaks.measure(kBurstsAtEnds);
  if (!options.json) {
    std::puts(fmt::format("{:<34} {:>10} {:>10} {:>10} {:>10} {:>8} {:>8}", "", "median ms", "p10", "p90", "GFLOP/s",
                          "GB/s", "of peak")
                  .c_str());
  }
  std::vector<Timing> timings;
  for (const BenchCase& test : cases) {
    timings.push_back(time_runs(test.prepare(), options.seconds));
    peaks.measure(kBurstsBetween);
    if (!options.json) print_row(test, timings.back(), reached(test, timings.back(), peaks.best()));
  }
  peaks.measure(kBurstsAtEnds);
  const MachinePeaks& best = peaks.best();
  if (!options.json) {
    std::puts(
        fmt::format("{}, {} threads: f32 {:.0f} GFLOP/s, bf16 {:.0f} GFLOP/s, int8 {:.0f} GOP/s, read {:.1f} GB/s",
                    cpu_name(), thread_count(), best.f32_gflops, best.bf16_gflops, best.int8_gops, best.read_gb_s)
            .c_str());
    return;
  }
  OrderedJson json{{"machine", machine_json(best)}, {"results", OrderedJson::array()}};
  for (size_t i = 0; i < cases.size(); ++i) {
    OrderedJson result = result_json(cases[i], timings[i], reached(cases[i], timings[i], best));
    if (options.samples) result["samples_ms"] = timings[i].sorted_ms;
    json["results"].push_back(result);
  }
  std::puts(json.dump().c_str());
}

}  // namespace

void add_bench(CLI::App& app) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand("bench", "Measure this machine's peaks and the program's speed");
  command->add_option("--filter", options->filter, "Regular expression of the names to run")->capture_default_str();
  command->add_option("--seconds", options->seconds, "Least time per case")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
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
