// The machine's own ceilings, measured: what the fractions of peak in the benchmark refer to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sensorium::cli {

struct MachinePeaks {
  double f32_gflops = 0;   // fused multiply-add
  double bf16_gflops = 0;  // dot products of bf16 pairs; without such instructions: f32_gflops
  double int8_gops = 0;    // u8 x s8 dot products; without such instructions: f32_gflops
  double read_gb_s = 0;    // from memory, far beyond the caches
};

// Measures the ceilings again and again and keeps the best: another process can only make a burst slower, but for longer than
// a series of bursts. So the bursts are short, those of all ceilings take turns, and the caller spreads them over its work.
class PeakMeter {
 public:
  PeakMeter();
  // `bursts` times each ceiling, on all threads: about 40 ms a time on a quiet machine.
  void measure(int bursts);
  const MachinePeaks& best() const { return best_; }

 private:
  std::vector<uint64_t> memory_;
  MachinePeaks best_;
};

// As the operating system names it.
std::string cpu_name();

}  // namespace sensorium::cli
