#include "text/tokenizer.h"

namespace sensorium::text {

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
