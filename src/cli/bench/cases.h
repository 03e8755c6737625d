// The benchmark's cases: named pieces of work with their floating-point operations and bytes.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace sensorium::cli {

enum class Peak : unsigned char { f32, bf16, int8, read };

struct BenchCase {
  std::string name;
  double operations = 0;   // per run; 0: not counted
  double bytes = 0;        // read per run; 0: not counted
  Peak peak = Peak::bf16;  // the ceiling that `of_peak` refers to
  // Fills in the numbers above where only a loaded model tells them; called if the case is chosen. None: they stand.
  std::function<void(BenchCase&)> count;
  // Prepares the inputs and returns the function to time; called only if the case is chosen.
  std::function<std::function<void()>()> prepare;
  // Writes what another program needs to repeat the work, and this one's results, into a folder; none: cannot.
  std::function<void(const std::filesystem::path& folder)> trace;
};

std::vector<BenchCase>
matrix_cases();  // gemm/<dtype>/<MxNxK>, gemm/packed-<type>/<MxNxK>, attention/<dtype>/<heads x tokens x size>
std::vector<BenchCase> training_cases();                       // train/decoder17m, train/vit_s16
std::vector<BenchCase> model_cases(const std::string& model);  // encode/image, decode/...

}  // namespace sensorium::cli
