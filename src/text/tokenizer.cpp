#include "text/tokenizer.h"

#include <algorithm>

#include "text/unicode.h"

namespace sensorium::text {

CleanText::CleanText(std::string_view bytes, std::span<const Span> spans) : text(bytes), user(spans) {
  if (is_valid_utf8(bytes)) return;
  // Each part is repaired by itself: a sequence that is cut by the border of a part is invalid on both sides.
  size_t done = 0;
  for (const Span span : spans) {
    const size_t begin = std::min(span.begin, bytes.size()), end = std::min(span.end, bytes.size());
    if (begin < done || end <= begin) continue;
    repaired_ += repair_utf8(bytes.substr(done, begin - done));
    const size_t moved = repaired_.size();
    repaired_ += repair_utf8(bytes.substr(begin, end - begin));
    moved_.push_back({moved, repaired_.size()});
    done = end;
  }
  repaired_ += repair_utf8(bytes.substr(done));
  text = repaired_;
  user = moved_;
}

std::vector<int32_t> leading_ids(const Tokenizer& tokenizer) {
  const std::vector<int32_t> plain = tokenizer.encode("a");
  std::vector<int32_t> full = tokenizer.encode("a", {Specials::as_text, Affixes::model});
  const auto found = std::search(full.begin(), full.end(), plain.begin(), plain.end());
  full.erase(found == full.end() ? full.begin() : found, full.end());
  return full;
}

void prepend_leading_ids(const Tokenizer& tokenizer, std::vector<int32_t>& ids) {
  const std::vector<int32_t> leading = leading_ids(tokenizer);
  const bool there = ids.size() >= leading.size() && std::equal(leading.begin(), leading.end(), ids.begin());
  if (!there) ids.insert(ids.begin(), leading.begin(), leading.end());
}

size_t leading_length(const Tokenizer& tokenizer, std::string_view prompt) {
  std::string written;
  for (const int32_t id : leading_ids(tokenizer)) written += tokenizer.token_bytes(id);
  return prompt.starts_with(written) ? written.size() : 0;
}

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, DecodeSpecials specials)
    : tokenizer_(tokenizer), specials_(specials), leading_(tokenizer.leading_spaces()) {}

std::string StreamDecoder::push(int32_t id) {
  if (specials_ == DecodeSpecials::skip && tokenizer_.is_control(id)) return {};
  std::string_view bytes = tokenizer_.token_bytes(id);
  while (leading_.count > 0 && bytes.starts_with(' ')) {
    bytes.remove_prefix(1);
    --leading_.count;
  }
  if (!bytes.empty() || leading_.scope == LeadingSpaces::Scope::first_token) leading_.count = 0;
  return utf8_.push(bytes);
}

}  // namespace sensorium::text
