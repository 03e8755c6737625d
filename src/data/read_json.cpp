// JSON lines and JSON lists: the text stays in the mapped file, only the records' places are kept.
#include <limits>
#include <utility>

#include "base/file.h"
#include "data/readers.h"
#include "io/json_lines.h"

namespace sensorium::data::detail {
namespace fs = std::filesystem;
namespace {

std::string media_folder(const fs::path& file, const DatasetOptions& options) {
  return (options.media_root.empty() ? file.parent_path() : options.media_root).string();
}

Record to_record(const Result<Json>& json, const std::string& folder, const std::string& where) {
  if (!json) throw json.error().with_context(where);
  return parse_record(json.value(), folder, where).value();
}

class JsonLines : public Dataset {
 public:
  JsonLines(const fs::path& path, const DatasetOptions& options) : file_(path), folder_(media_folder(path, options)) {}
  int64_t size() const override { return file_.size(); }
  Record get(int64_t index) const override { return to_record(file_.parse(index), folder_, where(index)); }
  std::string where(int64_t index) const override { return file_.where(index); }
  uint64_t content_hash(int64_t index) const override { return hash_text(file_.text(index)); }

 private:
  io::JsonLinesFile file_;
  std::string folder_;
};

// The elements of a list are found by their brackets and quotes alone; each is parsed when asked for.
class JsonList : public Dataset {
 public:
  JsonList(const fs::path& path, const DatasetOptions& options)
      : path_(path), map_(path), folder_(media_folder(path, options)) {
    find_elements();
  }
  int64_t size() const override { return static_cast<int64_t>(elements_.size()); }
  Record get(int64_t index) const override { return to_record(parse_json(content(index)), folder_, where(index)); }
  std::string where(int64_t index) const override {
    return fmt::format("{}:{}", path_.string(), elements_.at(static_cast<size_t>(index)).line);
  }
  uint64_t content_hash(int64_t index) const override { return hash_text(content(index)); }

 private:
  struct Element {
    size_t begin, length, line;
  };

  std::string_view text() const { return {reinterpret_cast<const char*>(map_.bytes().data()), map_.bytes().size()}; }
  std::string_view content(int64_t index) const {
    const Element& element = elements_.at(static_cast<size_t>(index));
    return text().substr(element.begin, element.length);
  }

  void find_elements() {
    const std::string_view all = text();
    constexpr size_t kNone = std::numeric_limits<size_t>::max();
    size_t depth = 0, line = 1, begin = kNone, begin_line = 1;
    bool in_string = false, closed = false, comma = false;
    const auto close_element = [&](size_t end) {
      require(begin != kNone, ErrorKind::invalid_data, "{}:{}: an element of the list is missing", path_.string(),
              line);
      elements_.push_back({begin, end - begin, begin_line});
      begin = kNone;
    };
    for (size_t i = all.starts_with("\xEF\xBB\xBF") ? 3 : 0; i < all.size(); ++i) {
      const char c = all[i];
      line += c == '\n' ? 1 : 0;
      if (in_string) {
        if (c == '\\') {
          ++i;
        } else if (c == '"') {
          in_string = false;
        }
        continue;
      }
      if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
      require(!closed, ErrorKind::invalid_data, "{}:{}: text after the end of the list", path_.string(), line);
      if (depth == 1 && c == ',') {
        close_element(i);
        comma = true;
        continue;
      }
      if (depth == 1 && c == ']') {
        if (begin != kNone || comma) close_element(i);
        closed = true;
        continue;
      }
      if (depth == 1 && begin == kNone) {
        begin = i;
        begin_line = line;
      }
      if (c == '"') in_string = true;
      if (c == '[' || c == '{') ++depth;
      if (c == ']' || c == '}') --depth;
      require(depth >= 1, ErrorKind::invalid_data, "{}:{}: a bracket closes nothing", path_.string(), line);
    }
    require(closed, ErrorKind::invalid_data, "{}: the list does not end: the file is cut off", path_.string());
  }

  fs::path path_;
  MappedFile map_;
  std::string folder_;
  std::vector<Element> elements_;
};

}  // namespace

std::unique_ptr<Dataset> open_json_lines(const fs::path& path, const DatasetOptions& options) {
  return std::make_unique<JsonLines>(path, options);
}
std::unique_ptr<Dataset> open_json_list(const fs::path& path, const DatasetOptions& options) {
  return std::make_unique<JsonList>(path, options);
}

uint64_t hash_text(std::string_view text) {
  uint64_t hash = 14695981039346656037ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  hash ^= hash >> 29;
  hash *= 0xBF58476D1CE4E5B9ull;
  return hash ^ (hash >> 32);
}

}  // namespace sensorium::data::detail
