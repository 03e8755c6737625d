// The machine's own ceilings, measured: what the fractions of peak in the benchmark refer to.
#pragma once

#include <string>

namespace sensorium::cli {

struct MachinePeaks {
  double f32_gflops = 0;   // fused multiply-add
  double bf16_gflops = 0;  // dot products of bf16 pairs; without such instructions: f32_gflops
  double int8_gops = 0;    // u8 x s8 dot products; without such instructions: f32_gflops
  double read_gb_s = 0;    // from memory, far beyond the caches
};

// The best of several short runs on `threads` threads (a shared machine only ever makes a run slower).
MachinePeaks measure_peaks();
// As the operating system names it.
std::string cpu_name();

}  // namespace sensorium::cli
