#include "cli/answer_json.h"

#include "generate/token_json.h"

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
      tokens.push_back(generate::token_json(token, tokenizer));
    }
    json["logprobs"] = tokens;
  }
  return json;
}

}  // namespace sensorium::cli
