#include "io/json_lines.h"

#include <algorithm>

#include "base/utf8.h"

namespace sensorium::io {
namespace {

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

JsonLinesFile::JsonLinesFile(const std::filesystem::path& path) : path_(path), map_(path) {
  const std::string_view all = as_text(map_.bytes());
  uint32_t number = 0;
  for (size_t begin = all.starts_with("\xEF\xBB\xBF") ? 3 : 0; begin < all.size();) {
    const size_t end = std::min(all.find('\n', begin), all.size());
    ++number;
    const std::string_view line = all.substr(begin, end - begin);
    require(line.size() <= kMaxLineBytes, ErrorKind::limit, "{}:{}: a line of {} bytes, the limit is {}", path.string(),
            number, line.size(), +kMaxLineBytes);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
      lines_.push_back({begin, static_cast<uint32_t>(line.size()), number});
    }
    begin = end + 1;
  }
}

std::string_view JsonLinesFile::text(int64_t index) const {
  const Line& line = lines_.at(static_cast<size_t>(index));
  return as_text(map_.bytes()).substr(line.begin, line.length);
}

std::string JsonLinesFile::where(int64_t index) const {
  return fmt::format("{}:{}", path_.string(), lines_.at(static_cast<size_t>(index)).number);
}

Result<Json> JsonLinesFile::parse(int64_t index) const {
  const std::string_view line = text(index);
  Result<Json> json = parse_json(line);
  if (!json) {
    const size_t bad = find_invalid_utf8(line);
    if (bad != std::string_view::npos)
      return Error(ErrorKind::invalid_data, fmt::format("invalid UTF-8 at byte {}", bad + 1));
  }
  return json;
}

}  // namespace sensorium::io
