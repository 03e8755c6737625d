#include "cli/answer_json.h"

#include "base/utf8.h"

namespace sensorium::cli {
namespace {

const char* finish_reason(generate::StopReason reason) {
  switch (reason) {
    case generate::StopReason::end:
    case generate::StopReason::stop_string:
      return "stop";
    case generate::StopReason::length:
      return "length";
    case generate::StopReason::interrupted:
      return "interrupted";
  }
  return "";
}

// As OpenAI's API writes it. A token may be a part of a character: "bytes" are exact.
OrderedJson token_json(const generate::TokenProbability& entry, const text::Tokenizer& tokenizer) {
  const std::string_view bytes = tokenizer.token_bytes(entry.token);
  OrderedJson values = OrderedJson::array();
  for (const char byte : bytes) values.push_back(static_cast<unsigned char>(byte));
  return {{"token", repair_utf8(bytes)}, {"id", entry.token}, {"logprob", entry.log_probability}, {"bytes", values}};
}

}  // namespace

OrderedJson answer_json(const generate::Generated& generated, std::span<const std::string> files,
                        const text::Tokenizer& tokenizer) {
  OrderedJson json;
  json["answer"] = generated.answer.text;
  json["boxes"] = OrderedJson::array();
  for (const models::AnswerBox& box : generated.answer.boxes) {
    OrderedJson entry{{"label", box.label}, {"box", {box.x0, box.y0, box.x1, box.y1}}, {"score", box.score}};
    if (files.size() > 1) entry["file"] = files[static_cast<size_t>(box.picture)];
    json["boxes"].push_back(entry);
  }
  json["finish_reason"] = finish_reason(generated.stop);
  if (!generated.log_probabilities.empty()) {
    OrderedJson tokens = OrderedJson::array();
    for (const generate::TokenLogProbabilities& token : generated.log_probabilities) {
      OrderedJson entry = token_json(token.chosen, tokenizer);
      entry["top_logprobs"] = OrderedJson::array();
      for (const generate::TokenProbability& other : token.top)
        entry["top_logprobs"].push_back(token_json(other, tokenizer));
      tokens.push_back(entry);
    }
    json["logprobs"] = tokens;
  }
  return json;
}

}  // namespace sensorium::cli
