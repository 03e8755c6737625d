#include "generate/token_json.h"

#include "base/utf8.h"

namespace sensorium::generate {
namespace {

OrderedJson entry_json(const TokenProbability& entry, const text::Tokenizer& tokenizer) {
  const std::string_view bytes = tokenizer.token_bytes(entry.token);
  OrderedJson values = OrderedJson::array();
  for (const char byte : bytes) values.push_back(static_cast<unsigned char>(byte));
  return {{"token", repair_utf8(bytes)}, {"id", entry.token}, {"logprob", entry.log_probability}, {"bytes", values}};
}

}  // namespace

OrderedJson token_json(const TokenLogProbabilities& token, const text::Tokenizer& tokenizer) {
  OrderedJson entry = entry_json(token.chosen, tokenizer);
  entry["top_logprobs"] = OrderedJson::array();
  for (const TokenProbability& other : token.top) entry["top_logprobs"].push_back(entry_json(other, tokenizer));
  return entry;
}

}  // namespace sensorium::generate
