#include "generate/generate.h"

#include "base/interrupt.h"

namespace sensorium::generate {

Generated generate(models::ChatSession& session, const text::Tokenizer& tokenizer, const GenerateOptions& options,
                   const std::function<void(std::string_view)>& on_text) {
  require(options.max_tokens > 0, ErrorKind::usage, "max-tokens {} is not positive", options.max_tokens);
  Generated result;
  Sampler sampler(options.sampling);
  text::StreamDecoder stream(tokenizer);
  const auto emit = [&](const std::string& piece) {
    if (on_text && !piece.empty()) on_text(piece);
  };
  for (;;) {
    if (interrupted()) {
      result.stop = StopReason::interrupted;
      break;
    }
    const int32_t token = sampler.choose(session.logits());
    if (session.is_end(token)) break;
    result.tokens.push_back(token);
    emit(stream.push(token));
    if (static_cast<int64_t>(result.tokens.size()) == options.max_tokens || session.room() == 0) {
      result.stop = StopReason::length;
      break;
    }
    session.accept(token);
  }
  emit(stream.finish());
  result.answer = session.read(result.tokens);
  return result;
}

}  // namespace sensorium::generate
