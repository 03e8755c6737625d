#include "server/routes/transcriptions.h"

#include <fmt/format.h>

#include <charconv>
#include <numeric>

#include "server/http/multipart.h"
#include "server/routes/ask.h"

namespace sensorium::server {
namespace {

std::string dump(const OrderedJson& json) { return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

enum class Form : uint8_t { json, text, verbose, stream };

struct Asked {
  Form form = Form::json;
  std::string language;
  double seconds = 0, temperature = 0;
};

class TranscriptionSink : public AnswerSink {
 public:
  TranscriptionSink(const Call& call, Asked asked) : AnswerSink(call, Dialect::openai), asked_(std::move(asked)) {}

  void started(int64_t prompt_tokens, int64_t reused_tokens) override {
    prompt_tokens_ = prompt_tokens;
    reused_tokens_ = reused_tokens;
    if (asked_.form == Form::stream) exchange_->start(event_stream());
  }
  void text(int64_t, std::string_view piece, std::span<const generate::TokenLogProbabilities>,
            const text::Tokenizer&) override {
    if (asked_.form == Form::stream && !piece.empty())
      event(dump({{"type", "transcript.text.delta"}, {"delta", piece}}));
  }
  void finished(int64_t, const generate::Generated& answer, const text::Tokenizer&) override {
    generated_tokens_ = static_cast<int64_t>(answer.tokens.size());
    text_ = answer.answer.text;
    if (asked_.form == Form::verbose) segment_ = segment(answer);
  }
  void done() override {
    const OrderedJson usage{{"type", "tokens"},
                            {"input_tokens", prompt_tokens_},
                            {"output_tokens", generated_tokens_},
                            {"total_tokens", prompt_tokens_ + generated_tokens_}};
    switch (asked_.form) {
      case Form::stream:
        event(dump({{"type", "transcript.text.done"}, {"text", text_}, {"usage", usage}}));
        exchange_->finish();
        return;
      case Form::text:
        exchange_->send({.content_type = "text/plain; charset=utf-8", .body = text_ + "\n"});
        return;
      case Form::verbose:
        exchange_->send({.body = dump({{"task", "transcribe"},
                                       {"language", asked_.language},
                                       {"duration", asked_.seconds},
                                       {"text", text_},
                                       {"segments", OrderedJson::array({segment_})},
                                       {"usage", usage}})});
        return;
      case Form::json:
        exchange_->send({.body = dump({{"text", text_}, {"usage", usage}})});
        return;
    }
  }

 private:
  // The whole sound: the models say nothing of when they heard what.
  OrderedJson segment(const generate::Generated& answer) const {
    const double sum = std::accumulate(answer.log_probabilities.begin(), answer.log_probabilities.end(), 0.0,
                                       [](double total, const generate::TokenLogProbabilities& token) {
                                         return total + token.chosen.log_probability;
                                       });
    const size_t count = answer.log_probabilities.size();
    return {{"id", 0},
            {"start", 0.0},
            {"end", asked_.seconds},
            {"text", answer.answer.text},
            {"tokens", answer.tokens},
            {"temperature", asked_.temperature},
            {"avg_logprob", count == 0 ? 0.0 : sum / static_cast<double>(count)}};
  }

  Asked asked_;
  std::string text_;
  OrderedJson segment_;
};

struct Fields {
  std::string_view file;
  std::string model, prompt, format = "json", language, temperature, stream;
};

Fields read_form(const Request& request) {
  const Result<std::vector<FormPart>> parts = parse_multipart(request.header("content-type"), request.body);
  if (!parts) throw ApiError(400, parts.error().message() + "; send multipart/form-data: file, model", "invalid_form");
  Fields fields;
  for (const FormPart& part : parts.value()) {
    const std::string value(part.name == "file" ? std::string_view() : part.body);
    if (part.name == "file") fields.file = part.body;
    if (part.name == "model") fields.model = value;
    if (part.name == "prompt") fields.prompt = value;
    if (part.name == "response_format") fields.format = value;
    if (part.name == "language") fields.language = value;
    if (part.name == "temperature") fields.temperature = value;
    if (part.name == "stream") fields.stream = value;
  }
  for (const auto& [value, name] :
       {std::pair(!fields.file.empty(), "file"), std::pair(!fields.model.empty(), "model")}) {
    if (!value)
      throw ApiError(400, fmt::format("the form has no part \"{}\", or an empty one", name),
                     "missing_required_parameter", name);
  }
  return fields;
}

double read_temperature(const std::string& text, double fallback) {
  if (text.empty()) return fallback;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= 2))
    throw ApiError(400, "\"temperature\" is no number of 0..2", "invalid_value", "temperature");
  return value;
}

Form read_format(const Fields& fields) {
  const bool stream = fields.stream == "true" || fields.stream == "True" || fields.stream == "1";
  if (fields.format == "json") return stream ? Form::stream : Form::json;
  if (stream) throw ApiError(400, "a stream comes as json", "invalid_value", "response_format");
  if (fields.format == "text") return Form::text;
  if (fields.format == "verbose_json") return Form::verbose;
  throw ApiError(400,
                 "\"response_format\" is none of json, text, verbose_json; no model here says when it heard what, "
                 "which srt and vtt need",
                 "invalid_value", "response_format");
}

}  // namespace

void transcribe(Call& call) {
  const Fields fields = read_form(call.request());
  Ask ask = begin_ask(call, fields.model);
  Asked asked{.form = read_format(fields), .language = fields.language};
  generate::GenerateOptions& options = ask.job.options;
  options.sampling.temperature = asked.temperature = read_temperature(fields.temperature, options.sampling.temperature);
  choose_seed(ask, nullptr);
  if (asked.form == Form::verbose) options.top_log_probabilities = 0;
  models::ChatPart sound = call.services.media.sound_part(std::string(fields.file));
  asked.seconds = sound.recording->seconds;
  const std::string question = fields.prompt.empty() ? std::string(sound.recording->sense->question) : fields.prompt;
  ask.job.messages.push_back({.role = "user", .parts = {std::move(sound), {.text = question}}});
  submit(call, std::move(ask), std::make_shared<TranscriptionSink>(call, std::move(asked)));
}

}  // namespace sensorium::server
