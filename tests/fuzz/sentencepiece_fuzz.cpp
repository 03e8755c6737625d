// A SentencePiece model of any bytes gives an error, or a tokenizer that encodes and decodes.
// Seeds: tests/golden/text/sp_llama
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "text/sentencepiece_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sensorium::text;  // NOLINT
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = parse_sentencepiece(bytes);
  if (!tokenizer) return 0;
  try {
    for (const std::string_view text :
         {std::string_view(" I'm 12\n\xC3\xA9</s> \xF0\x9F\x91\xB7\xFF\xEF\xBD\x86"), bytes.substr(0, 256)}) {
      const auto ids = tokenizer.value()->encode(text, {Specials::parse, Affixes::model});
      (void)tokenizer.value()->decode(ids, DecodeSpecials::show);
      StreamDecoder stream(*tokenizer.value());
      for (const int32_t id : ids) (void)stream.push(id);
      (void)stream.finish();
    }
  } catch (const sensorium::Error&) {  // the library refuses the text
  }
  return 0;
}
