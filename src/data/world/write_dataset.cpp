// Writing the synthetic world to disk in the format of the real data sets.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/threads.h"
#include "data/world/world.h"
#include "media/encode.h"

namespace sensorium::data {
namespace fs = std::filesystem;
namespace {

constexpr int kJpegQuality = 88;

// Pictures that a camera would take are JPEG; drawn and tiny ones, whose pixels matter one by one, are PNG.
bool is_photo_like(const WorldSample& sample) {
  static constexpr std::array<std::string_view, 3> kPhotos = {"site", "parts", "cells"};
  return std::find(kPhotos.begin(), kPhotos.end(), sample.kind) != kPhotos.end();
}

// Folders that are removed again, unless keep() is called.
class NewFolders {
 public:
  ~NewFolders() {
    std::error_code ignored;
    for (auto folder = made_.rbegin(); folder != made_.rend(); ++folder) fs::remove(*folder, ignored);
  }
  // Makes the folder and those above it that are missing.
  void make(const fs::path& folder) {
    if (folder.empty() || fs::is_directory(folder)) return;
    make(folder.parent_path());
    std::error_code code;
    const bool made = fs::create_directory(folder, code);
    require(!code, ErrorKind::io, "{}: cannot make the folder: {}", folder.string(), code.message());
    if (made) made_.push_back(folder);
  }
  void keep() { made_.clear(); }

 private:
  std::vector<fs::path> made_;
};

// A folder that is removed at the end, with what is still in it.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(fs::path path) : path_(std::move(path)) {
    std::error_code code;
    fs::create_directory(path_, code);
    require(!code, ErrorKind::io, "{}: cannot make the folder: {}", path_.string(), code.message());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void move_file(const fs::path& from, const fs::path& to) {
  std::error_code code;
  fs::rename(from, to, code);
  require(!code, ErrorKind::io, "{}: cannot write: {}", to.string(), code.message());
}

}  // namespace

void check_dataset_name(const std::string& name) {
  const bool fits = !name.empty() && name[0] != '.' && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c < 0x80 && std::isalnum(c)) || c == '-' || c == '_' || c == '.';
  });
  require(fits, ErrorKind::usage, "the name \"{}\" of a split: want letters, digits, '-', '_' and '.', no '.' first",
          name);
}

WorldDatasetReport write_world_dataset(const fs::path& directory, const std::string& name, uint64_t first, size_t count,
                                       uint64_t seed, const WorldOptions& options) {
  require(count > 0, ErrorKind::usage, "synthetic data set of 0 samples; want at least 1");
  require(count <= kMaxWorldIndex && first <= kMaxWorldIndex - count, ErrorKind::usage,
          "{} samples from {}: the synthetic world ends at sample {}", count, first, kMaxWorldIndex);
  check_dataset_name(name);
  NewFolders folders;
  folders.make(directory / "media");
  const TemporaryFolder staged(directory / fmt::format(".{}.{}.tmp", name, ::getpid()));
  std::vector<std::string> lines(count), files(count);
  std::vector<uint64_t> bytes(count, 0);
  parallel_for(static_cast<int64_t>(count), 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      check_interrupted();
      const uint64_t index = first + static_cast<uint64_t>(i);
      const WorldSample sample = generate_world_sample(seed, index, options);
      const bool photo = is_photo_like(sample);
      std::string& file = files[static_cast<size_t>(i)];
      file = fmt::format("{}_{:06}.{}", name, index, photo ? "jpg" : "png");
      const std::string picture =
          photo ? media::encode_jpeg(sample.image, kJpegQuality) : media::encode_png(sample.image);
      write_file_atomic(staged.path() / file, picture);
      lines[static_cast<size_t>(i)] = world_record(sample, "media/" + file).dump();
      bytes[static_cast<size_t>(i)] = picture.size();
    }
  });
  WorldDatasetReport report{count, 0};
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += lines[i];
    text += '\n';
    report.bytes += bytes[i];
  }
  const std::string list = name + ".jsonl";
  write_file_atomic(staged.path() / list, text);
  report.bytes += text.size();
  for (const std::string& file : files) move_file(staged.path() / file, directory / "media" / file);
  move_file(staged.path() / list, directory / list);
  folders.keep();
  return report;
}

}  // namespace sensorium::data
