#include "generate/generate.h"

#include "base/interrupt.h"

namespace sensorium::generate {

Generated generate(models::ChatSession& session, const GenerateOptions& options,
                   const std::function<void(std::string_view)>& on_text) {
  require(options.max_tokens > 0, ErrorKind::usage, "max-tokens {} is not positive", options.max_tokens);
  Generated result;
  Sampler sampler(options.sampling);
  // The answer's text grows token by token; a character whose last bytes have not come stands at its end as U+FFFD.
  size_t shown = 0;
  const auto emit = [&](bool finished) {
    if (!on_text) return;
    std::string text = session.read(result.tokens).text;
    constexpr std::string_view kUnfinished = "\xEF\xBF\xBD";
    while (!finished && text.ends_with(kUnfinished)) text.resize(text.size() - kUnfinished.size());
    if (text.size() <= shown) return;
    on_text(std::string_view(text).substr(shown));
    shown = text.size();
  };
  for (;;) {
    if (interrupted()) {
      result.stop = StopReason::interrupted;
      break;
    }
    const int32_t token = session.grounded(sampler.choose(session.logits()));
    if (session.is_end(token)) break;
    result.tokens.push_back(token);
    emit(false);
    if (static_cast<int64_t>(result.tokens.size()) == options.max_tokens || session.room() == 0) {
      result.stop = StopReason::length;
      break;
    }
    session.accept(token);
  }
  emit(true);
  result.answer = session.read(result.tokens);
  return result;
}

}  // namespace sensorium::generate
