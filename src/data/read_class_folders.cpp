// A folder with one folder of pictures per class, as ImageNet and its followers are laid out.
#include <algorithm>
#include <array>
#include <cctype>

#include "base/utf8.h"
#include "data/readers.h"

namespace sensorium::data::detail {
namespace fs = std::filesystem;
namespace {

bool is_picture(const fs::path& path) {
  static constexpr std::array<std::string_view, 4> kExtensions = {".jpg", ".jpeg", ".png", ".webp"};
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

class ClassFolders : public Dataset {
 public:
  explicit ClassFolders(const fs::path& path) : path_(path) {
    for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
      // A folder that holds its records in a file is not one of class folders, whatever else lies there.
      require(entry.path().extension() != ".jsonl", ErrorKind::usage, "{}: is a folder with {}; give that file",
              path.string(), entry.path().filename().string());
      const std::string label = entry.path().filename().string();
      if (!entry.is_directory() || label.starts_with('.')) continue;
      require(find_invalid_utf8(label) == std::string::npos, ErrorKind::invalid_data,
              "{}: the name of a folder is not UTF-8", path.string());
      for (const fs::directory_entry& file : fs::directory_iterator(entry.path())) {
        if (file.is_regular_file() && is_picture(file.path()))
          pictures_.push_back({label, file.path().filename().string()});
      }
    }
    // The order in which the system lists files is not the same everywhere.
    std::sort(pictures_.begin(), pictures_.end());
    require(!pictures_.empty(), ErrorKind::invalid_data, "{}: expected folders of pictures, one per class",
            path.string());
  }
  int64_t size() const override { return static_cast<int64_t>(pictures_.size()); }
  Record get(int64_t index) const override {
    Record record;
    record.where = record.image = where(index);
    record.media.push_back({PartKind::image, record.image});
    record.label = pictures_.at(static_cast<size_t>(index)).first;
    record.questions.push_back({"What does the picture show?", record.label});
    return record;
  }
  std::string where(int64_t index) const override {
    const auto& [label, file] = pictures_.at(static_cast<size_t>(index));
    return (path_ / label / file).string();
  }
  uint64_t content_hash(int64_t index) const override {
    const auto& [label, file] = pictures_.at(static_cast<size_t>(index));
    return hash_text(label + "/" + file);
  }

 private:
  fs::path path_;
  std::vector<std::pair<std::string, std::string>> pictures_;  // class, file
};

}  // namespace

std::unique_ptr<Dataset> open_class_folders(const fs::path& path, const DatasetOptions&) {
  return std::make_unique<ClassFolders>(path);
}

}  // namespace sensorium::data::detail
