#include "data/dataset.h"

#include <algorithm>

#include "base/file.h"
#include "base/interrupt.h"
#include "media/decode.h"

namespace sensorium::data {
namespace fs = std::filesystem;
namespace {

// FNV-1a with a final mix, so that the low digits are as good as the high ones.
uint64_t hash_text(std::string_view text) {
  uint64_t hash = 14695981039346656037ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  hash ^= hash >> 29;
  hash *= 0xBF58476D1CE4E5B9ull;
  return hash ^ (hash >> 32);
}

// JSON lines stay in the mapped file; only their places are kept.
class JsonLines : public Dataset {
 public:
  explicit JsonLines(const fs::path& path) : path_(path), map_(path) {
    const std::string_view text = this->text();
    size_t line = 0;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      ++line;
      if (text.substr(begin, end - begin).find_first_not_of(" \t\r") != std::string_view::npos) {
        lines_.push_back({begin, end - begin, line});
      }
      begin = end + 1;
    }
  }
  int64_t size() const override { return static_cast<int64_t>(lines_.size()); }
  Record get(int64_t index) const override {
    const Line& line = lines_[static_cast<size_t>(index)];
    const std::string where = fmt::format("{}:{}", path_.string(), line.number);
    const Result<Json> json = parse_json(content(line));
    if (!json) throw json.error().with_context(where);
    return parse_record(json.value(), path_.parent_path().string(), where).value();
  }
  uint64_t content_hash(int64_t index) const override { return hash_text(content(lines_[static_cast<size_t>(index)])); }

 private:
  struct Line {
    size_t begin, length, number;
  };
  std::string_view text() const { return {reinterpret_cast<const char*>(map_.bytes().data()), map_.bytes().size()}; }
  std::string_view content(const Line& line) const { return text().substr(line.begin, line.length); }

  fs::path path_;
  MappedFile map_;
  std::vector<Line> lines_;
};

class JsonList : public Dataset {
 public:
  explicit JsonList(const fs::path& path) : path_(path), list_(read_json_file(path)) {
    require(list_.is_array(), ErrorKind::invalid_data, "{}: expected a list of records, found {}", path.string(), list_.type_name());
  }
  int64_t size() const override { return static_cast<int64_t>(list_.size()); }
  Record get(int64_t index) const override {
    return parse_record(list_[static_cast<size_t>(index)], path_.parent_path().string(),
                        fmt::format("{}: record {}", path_.string(), index + 1))
        .value();
  }
  uint64_t content_hash(int64_t index) const override { return hash_text(list_[static_cast<size_t>(index)].dump()); }

 private:
  fs::path path_;
  Json list_;
};

// Paragraphs of a text file, joined until they have some length.
class PlainText : public Dataset {
 public:
  explicit PlainText(const fs::path& path) : path_(path) {
    constexpr size_t kPieceBytes = 1500;
    const std::string text = read_file(path);
    std::string piece;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find("\n\n", begin), text.size());
      piece += text.substr(begin, end - begin) + "\n\n";
      begin = end + 2;
      if (piece.size() >= kPieceBytes || begin >= text.size()) pieces_.push_back(std::exchange(piece, {}));
    }
  }
  int64_t size() const override { return static_cast<int64_t>(pieces_.size()); }
  Record get(int64_t index) const override {
    Record record;
    record.where = fmt::format("{}: piece {}", path_.string(), index + 1);
    record.text = pieces_[static_cast<size_t>(index)];
    return record;
  }
  uint64_t content_hash(int64_t index) const override { return hash_text(pieces_[static_cast<size_t>(index)]); }

 private:
  fs::path path_;
  std::vector<std::string> pieces_;
};

class ClassFolders : public Dataset {
 public:
  explicit ClassFolders(const fs::path& path) {
    for (const fs::directory_entry& folder : fs::directory_iterator(path)) {
      if (!folder.is_directory()) continue;
      for (const fs::directory_entry& file : fs::directory_iterator(folder.path())) {
        if (file.is_regular_file()) pictures_.push_back({file.path().string(), folder.path().filename().string()});
      }
    }
    std::sort(pictures_.begin(), pictures_.end());
    require(!pictures_.empty(), ErrorKind::invalid_data, "{}: expected folders of pictures, one per class", path.string());
  }
  int64_t size() const override { return static_cast<int64_t>(pictures_.size()); }
  Record get(int64_t index) const override {
    Record record;
    const auto& [file, label] = pictures_[static_cast<size_t>(index)];
    record.where = record.image = file;
    record.label = label;
    record.questions.push_back({"What does the picture show?", label});
    return record;
  }
  uint64_t content_hash(int64_t index) const override { return hash_text(pictures_[static_cast<size_t>(index)].first); }

 private:
  std::vector<std::pair<std::string, std::string>> pictures_;  // path, class
};

template <typename T>
std::unique_ptr<Dataset> open_as(const fs::path& path) {
  return std::make_unique<T>(path);
}

constexpr DatasetFormat kFormats[] = {
    {"folder of class folders", [](const fs::path& path, const std::string&) { return fs::is_directory(path); }, open_as<ClassFolders>},
    {"JSON list", [](const fs::path&, const std::string& head) { return head.starts_with("["); }, open_as<JsonList>},
    {"JSON lines", [](const fs::path&, const std::string& head) { return head.starts_with("{"); }, open_as<JsonLines>},
    {"JSON lines", [](const fs::path& path, const std::string&) { return path.extension() == ".jsonl"; }, open_as<JsonLines>},
    {"plain text", [](const fs::path& path, const std::string&) { return path.extension() == ".txt"; }, open_as<PlainText>},
};

}  // namespace

std::unique_ptr<Dataset> open_dataset(const fs::path& path) {
  require(fs::exists(path), ErrorKind::not_found, "{}: no such file or folder", path.string());
  std::string head;
  if (!fs::is_directory(path)) {
    const MappedFile map(path);
    const std::string_view text(reinterpret_cast<const char*>(map.bytes().data()), std::min<size_t>(map.bytes().size(), 4096));
    const size_t first = text.find_first_not_of(" \t\r\n");
    if (first != std::string_view::npos) head = text.substr(first);
  }
  for (const DatasetFormat& format : kFormats) {
    if (format.fits(path, head)) return format.open(path);
  }
  fail(ErrorKind::unsupported, "{}: is no data set that this program reads (JSON lines, a JSON list, .txt, or a folder of class folders)",
       path.string());
}

ValidationReport validate_dataset(const fs::path& path, size_t max_faults) {
  const std::unique_ptr<Dataset> dataset = open_dataset(path);
  ValidationReport report;
  const auto add = [&](const std::string& where, const std::string& what) {
    if (report.faults.size() < max_faults) report.faults.push_back({where, what});
  };
  for (int64_t i = 0; i < dataset->size(); ++i) {
    check_interrupted();
    ++report.records;
    bool faulty = false;
    const auto fault = [&](const std::string& where, const std::string& what) {
      faulty = true;
      add(where, what);
    };
    try {
      const Record record = dataset->get(i);
      std::vector<std::string> images;
      if (!record.image.empty()) images.push_back(record.image);
      for (const Message& message : record.messages) {
        for (const MessagePart& part : message.parts) {
          if (part.kind == PartKind::image) images.push_back(part.value);
        }
      }
      for (const std::string& image : images) {
        ++report.pictures;
        const media::ImageInfo info = media::load_image_info(image);
        if (record.width > 0 && (record.width != info.width || record.height != info.height)) {
          fault(record.where, fmt::format("{} is {} x {}, the record says {} x {}", image, info.width, info.height, record.width, record.height));
        }
        for (const MarkedBox& box : record.boxes.value_or(std::vector<MarkedBox>{})) {
          // Annotation tools round: a pixel over the border is no fault.
          if (box.x0 < -1 || box.y0 < -1 || box.x1 > static_cast<float>(info.width) + 1 || box.y1 > static_cast<float>(info.height) + 1) {
            fault(record.where, fmt::format("a box of \"{}\" lies outside the picture", box.label));
          }
        }
      }
      if (record.boxes && !record.boxes->empty()) {
        for (const auto& [label, count] : record.count) {
          const auto boxes = std::count_if(record.boxes->begin(), record.boxes->end(), [&](const MarkedBox& b) { return b.label == label; });
          if (boxes != count) fault(record.where, fmt::format("{} boxes of \"{}\", but its count is {}", boxes, label, count));
        }
      }
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw;
      const std::string message = error.message();
      const size_t colon = message.find(": ");
      fault(message.substr(0, colon), colon == std::string::npos ? message : message.substr(colon + 2));
    }
    if (faulty) ++report.faulty;
  }
  return report;
}

}  // namespace sensorium::data
