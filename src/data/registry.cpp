#include <algorithm>

#include "base/file.h"
#include "data/readers.h"

namespace sensorium::data {
namespace fs = std::filesystem;
namespace {

constexpr DatasetFormat kFormats[] = {
    {"a folder of class folders", [](const fs::path& path, std::string_view) { return fs::is_directory(path); },
     detail::open_class_folders},
    {"a JSON list", [](const fs::path&, std::string_view head) { return head.starts_with('['); },
     detail::open_json_list},
    {"JSON lines",
     [](const fs::path& path, std::string_view head) { return head.starts_with('{') || path.extension() == ".jsonl"; },
     detail::open_json_lines},
    {"plain text (.txt)", [](const fs::path& path, std::string_view) { return path.extension() == ".txt"; },
     detail::open_plain_text},
};

std::string head_of(const fs::path& path) {
  constexpr size_t kHeadBytes = 4096;
  const MappedFile map(path);
  std::string_view text(reinterpret_cast<const char*>(map.bytes().data()), std::min(map.bytes().size(), kHeadBytes));
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return std::string(text);
}

}  // namespace

std::span<const DatasetFormat> dataset_formats() { return kFormats; }

bool in_validation_part(const Dataset& dataset, int64_t index, double validation_fraction) {
  constexpr uint64_t kShares = 10000;
  return dataset.content_hash(index) % kShares <
         static_cast<uint64_t>(validation_fraction * static_cast<double>(kShares));
}

std::unique_ptr<Dataset> open_dataset(const fs::path& path, const DatasetOptions& options) {
  require(fs::exists(path), ErrorKind::not_found, "{}: no such file or folder", path.string());
  const std::string head = fs::is_directory(path) ? std::string() : head_of(path);
  std::string names;
  for (const DatasetFormat& format : kFormats) {
    if (format.fits(path, head)) return format.open(path, options);
    names += fmt::format("{}{}", names.empty() ? "" : ", ", format.name);
  }
  fail(ErrorKind::unsupported, "{}: is no data set that this program reads ({})", path.string(), names);
}

}  // namespace sensorium::data
