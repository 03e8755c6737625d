#include "text/grammar/code_points.h"

#include <algorithm>
#include <string>

#include "base/utf8.h"

namespace sensorium::text::grammar {
namespace {

constexpr char32_t kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;

// The encodings of low..high, which have the same number of bytes. Ranges whose last `more` bytes are not whole (80..BF each)
// are split until they are.
void split(char32_t low, char32_t high, std::vector<ByteRanges>& out) {
  const int bytes = low < 0x80 ? 1 : low < 0x800 ? 2 : low < 0x10000 ? 3 : 4;
  for (int more = 1; more < bytes; ++more) {
    const char32_t mask = (char32_t{1} << (6 * more)) - 1;
    if ((low & ~mask) == (high & ~mask)) continue;
    if ((low & mask) != 0) {
      split(low, low | mask, out);
      split((low | mask) + 1, high, out);
      return;
    }
    if ((high & mask) != mask) {
      split(low, (high & ~mask) - 1, out);
      split(high & ~mask, high, out);
      return;
    }
  }
  std::string first, last;
  append_utf8(first, low);
  append_utf8(last, high);
  ByteRanges ranges;
  for (size_t i = 0; i < first.size(); ++i) {
    ranges.emplace_back(static_cast<uint8_t>(first[i]), static_cast<uint8_t>(last[i]));
  }
  out.push_back(std::move(ranges));
}

}  // namespace

void CodePointSet::add(char32_t low, char32_t high) {
  high = std::min(high, kMost);
  if (low > high) return;
  if (low <= kLastSurrogate && high >= kFirstSurrogate) {
    if (low < kFirstSurrogate) add(low, kFirstSurrogate - 1);
    if (high > kLastSurrogate) add(kLastSurrogate + 1, high);
    return;
  }
  ranges_.emplace_back(low, high);
  std::sort(ranges_.begin(), ranges_.end());
  std::vector<Range> joined;
  for (const Range& range : ranges_) {
    if (!joined.empty() && range.first <= joined.back().second + 1) {
      joined.back().second = std::max(joined.back().second, range.second);
    } else {
      joined.push_back(range);
    }
  }
  ranges_ = std::move(joined);
}

void CodePointSet::add(const CodePointSet& other) {
  for (const Range& range : other.ranges_) add(range.first, range.second);
}

CodePointSet CodePointSet::complement() const {
  CodePointSet result;
  char32_t next = 0;
  for (const Range& range : ranges_) {
    if (range.first > next) result.add(next, range.first - 1);
    next = range.second + 1;
  }
  if (next <= kMost) result.add(next, kMost);
  return result;
}

CodePointSet CodePointSet::without(const CodePointSet& other) const {
  CodePointSet outside = complement();
  outside.add(other);
  return outside.complement();
}

CodePointSet CodePointSet::intersection(const CodePointSet& other) const { return without(other.complement()); }

bool CodePointSet::contains(char32_t code_point) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const Range& range) { return range.first <= code_point && code_point <= range.second; });
}

std::vector<ByteRanges> utf8_ranges(const CodePointSet& set) {
  std::vector<ByteRanges> result;
  for (const auto& [low, high] : set.ranges()) {
    char32_t begin = low;
    for (const char32_t last : {char32_t{0x7F}, char32_t{0x7FF}, char32_t{0xFFFF}, char32_t{0x10FFFF}}) {
      if (begin > last || begin > high) continue;
      split(begin, std::min(high, last), result);
      begin = last + 1;
    }
  }
  return result;
}

}  // namespace sensorium::text::grammar
