// Text files: paragraphs, joined until they have some length.
#include <algorithm>

#include "base/file.h"
#include "base/utf8.h"
#include "data/readers.h"

namespace sensorium::data::detail {
namespace fs = std::filesystem;
namespace {

constexpr size_t kPieceBytes = 1500;     // a piece ends with the paragraph that reaches this
constexpr size_t kMaxPieceBytes = 8192;  // longer paragraphs are cut between words

class PlainText : public Dataset {
 public:
  explicit PlainText(const fs::path& path) : path_(path), map_(path) {
    const std::string_view all = text();
    size_t line = 1;
    for (size_t begin = 0; begin < all.size();) {
      const size_t end = end_of_piece(all, begin);
      const std::string_view piece = all.substr(begin, end - begin);
      if (piece.find_first_not_of(" \t\r\n") != std::string_view::npos) pieces_.push_back({begin, end - begin, line});
      line += static_cast<size_t>(std::count(piece.begin(), piece.end(), '\n'));
      begin = end;
    }
  }
  int64_t size() const override { return static_cast<int64_t>(pieces_.size()); }
  Record get(int64_t index) const override {
    Record record;
    record.where = where(index);
    record.text = content(index);
    require(find_invalid_utf8(record.text) == std::string::npos, ErrorKind::invalid_data,
            "{}: text that is not valid UTF-8", record.where);
    return record;
  }
  std::string where(int64_t index) const override {
    return fmt::format("{}:{}", path_.string(), pieces_.at(static_cast<size_t>(index)).line);
  }
  uint64_t content_hash(int64_t index) const override { return hash_text(content(index)); }

 private:
  struct Piece {
    size_t begin, length, line;
  };

  // Blank lines end paragraphs, however lines end.
  static size_t end_of_paragraph(std::string_view all, size_t begin) {
    for (size_t end = all.find('\n', begin); end != std::string_view::npos; end = all.find('\n', end + 1)) {
      size_t next = end + 1;
      if (next < all.size() && all[next] == '\r') ++next;
      if (next < all.size() && all[next] == '\n') return next + 1;
    }
    return all.size();
  }
  static size_t end_of_piece(std::string_view all, size_t begin) {
    // No search goes further than a piece can reach, so that a file without line breaks takes no longer than others.
    all = all.substr(0, begin + kMaxPieceBytes + 1);
    size_t end = begin;
    while (end < all.size() && end - begin < kPieceBytes) {
      const size_t next = end_of_paragraph(all, end);
      if (next - begin > kMaxPieceBytes && end > begin) break;
      end = next;
    }
    if (end - begin <= kMaxPieceBytes) return end;
    const size_t space = all.substr(begin, kMaxPieceBytes).find_last_of(" \n");
    if (space != std::string_view::npos) return begin + space + 1;
    end = begin + kMaxPieceBytes;
    // Not inside a character: its later bytes are 10xxxxxx.
    while (end > begin + kMaxPieceBytes - 4 && (static_cast<unsigned char>(all[end]) & 0xC0) == 0x80) --end;
    return end;
  }

  std::string_view text() const { return {reinterpret_cast<const char*>(map_.bytes().data()), map_.bytes().size()}; }
  std::string_view content(int64_t index) const {
    const Piece& piece = pieces_.at(static_cast<size_t>(index));
    return text().substr(piece.begin, piece.length);
  }

  fs::path path_;
  MappedFile map_;
  std::vector<Piece> pieces_;
};

}  // namespace

std::unique_ptr<Dataset> open_plain_text(const fs::path& path, const DatasetOptions&) {
  return std::make_unique<PlainText>(path);
}

}  // namespace sensorium::data::detail
