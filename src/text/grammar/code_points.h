// Sets of Unicode characters, and their UTF-8 encodings as ranges of bytes.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace sensorium::text::grammar {

// Sorted, disjoint ranges of code points, both ends included; surrogates are never in it.
class CodePointSet {
 public:
  using Range = std::pair<char32_t, char32_t>;

  CodePointSet() = default;
  CodePointSet(std::initializer_list<Range> ranges) {
    for (const Range& range : ranges) add(range.first, range.second);
  }
  static CodePointSet all() { return CodePointSet({{0, kMost}}); }

  void add(char32_t low, char32_t high);
  void add(char32_t one) { add(one, one); }
  void add(const CodePointSet& other);
  CodePointSet complement() const;
  CodePointSet without(const CodePointSet& other) const;
  CodePointSet intersection(const CodePointSet& other) const;

  bool contains(char32_t code_point) const;
  bool empty() const { return ranges_.empty(); }
  const std::vector<Range>& ranges() const { return ranges_; }
  auto operator<=>(const CodePointSet&) const = default;

 private:
  static constexpr char32_t kMost = 0x10FFFF;
  std::vector<Range> ranges_;
};

// One to four ranges of bytes: the encodings whose i-th byte is in the i-th range.
using ByteRanges = std::vector<std::pair<uint8_t, uint8_t>>;
// The UTF-8 encodings of a set (RFC 3629), each exactly once.
std::vector<ByteRanges> utf8_ranges(const CodePointSet& set);

}  // namespace sensorium::text::grammar
