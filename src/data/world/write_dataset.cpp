// Writing the synthetic world to disk in the format of the real data sets.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/threads.h"
#include "data/world/world.h"
#include "media/encode.h"

namespace sensorium::data {
namespace {

constexpr int kJpegQuality = 88;

// Pictures that a camera would take are JPEG; drawn and tiny ones, whose pixels matter one by one, are PNG.
bool is_photo_like(const WorldSample& sample) {
  static constexpr std::array<std::string_view, 3> kPhotos = {"site", "parts", "cells"};
  return std::find(kPhotos.begin(), kPhotos.end(), sample.kind) != kPhotos.end();
}

}  // namespace

WorldDatasetReport write_world_dataset(const std::filesystem::path& directory, const std::string& name, uint64_t first,
                                       size_t count, uint64_t seed, const WorldOptions& options) {
  require(count > 0, ErrorKind::usage, "synthetic data set of 0 samples; want at least 1");
  std::error_code code;
  std::filesystem::create_directories(directory / "media", code);
  require(!code, ErrorKind::io, "{}: cannot make the folder: {}", (directory / "media").string(), code.message());
  std::vector<std::string> lines(count);
  std::vector<uint64_t> bytes(count, 0);
  parallel_for(static_cast<int64_t>(count), 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      check_interrupted();
      const uint64_t index = first + static_cast<uint64_t>(i);
      const WorldSample sample = generate_world_sample(seed, index, options);
      const bool photo = is_photo_like(sample);
      const std::string image = fmt::format("media/{}_{:06}.{}", name, index, photo ? "jpg" : "png");
      const std::string file = photo ? media::encode_jpeg(sample.image, kJpegQuality) : media::encode_png(sample.image);
      write_file_atomic(directory / image, file);
      lines[static_cast<size_t>(i)] = world_record(sample, image).dump();
      bytes[static_cast<size_t>(i)] = file.size();
    }
  });
  WorldDatasetReport report{count, 0};
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += lines[i];
    text += '\n';
    report.bytes += bytes[i];
  }
  write_file_atomic(directory / (name + ".jsonl"), text);
  report.bytes += text.size();
  return report;
}

}  // namespace sensorium::data
