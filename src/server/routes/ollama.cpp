#include "server/routes/ollama.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "server/routes/openai_messages.h"

namespace sensorium::server {
namespace {

std::string timestamp() { return fmt::format("{:%FT%TZ}", fmt::gmtime(std::time(nullptr))); }

// Ollama calls every model NAME:latest.
std::string plain_name(std::string name) {
  if (name.ends_with(":latest")) name.resize(name.size() - std::string_view(":latest").size());
  return name;
}

class OllamaSink : public AnswerSink {
 public:
  enum class Form : uint8_t { chat, generate };
  OllamaSink(const Call& call, Form form, std::string model, bool stream, std::shared_ptr<const Tools> tools)
      : AnswerSink(call, Dialect::ollama),
        form_(form),
        model_(std::move(model)),
        stream_(stream),
        tools_(std::move(tools)),
        held_(tools_.get()) {}

  void started(int64_t prompt_tokens, int64_t) override {
    prompt_tokens_ = prompt_tokens;
    prompt_read_ = Clock::now();
    if (stream_)
      exchange_->start({.content_type = "application/x-ndjson",
                        .headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}}});
  }
  void text(int64_t, std::string_view piece, std::span<const generate::TokenLogProbabilities>,
            const text::Tokenizer&) override {
    if (!stream_) return;
    const std::string shown = held_.push(piece);
    if (!shown.empty()) line(piece_json(shown, false));
  }
  void finished(int64_t, const generate::Generated& answer, const text::Tokenizer&) override {
    generated_tokens_ = static_cast<int64_t>(answer.tokens.size());
    said_ = read_answer(answer, tools_.get());
    boxes_ = boxes_json(answer.answer.boxes);
  }
  void done() override {
    OrderedJson last = piece_json(said_.call ? "" : stream_ ? held_.rest() : said_.text, true);
    if (said_.call)
      last["message"]["tool_calls"] = OrderedJson::array(
          {{{"function", {{"name", said_.call->name}, {"arguments", OrderedJson::parse(said_.call->arguments)}}}}});
    if (!boxes_.empty()) last["boxes"] = boxes_;
    const auto ns = [](Clock::duration time) {
      return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
    };
    last["done_reason"] = said_.finish_reason == std::string_view("length") ? "length" : "stop";
    last["total_duration"] = ns(Clock::now() - begin_);
    last["load_duration"] = 0;
    last["prompt_eval_count"] = prompt_tokens_;
    last["prompt_eval_duration"] = ns(prompt_read_ - begin_);
    last["eval_count"] = generated_tokens_;
    last["eval_duration"] = ns(Clock::now() - prompt_read_);
    if (stream_) {
      line(last);
      exchange_->finish();
    } else {
      exchange_->send({.body = last.dump(-1, ' ', false, OrderedJson::error_handler_t::replace)});
    }
  }

 protected:
  void stream_error(const ApiError& error) override { exchange_->write(error_body(error, Dialect::ollama) + "\n"); }

 private:
  OrderedJson piece_json(const std::string& text, bool done) const {
    OrderedJson json{{"model", model_}, {"created_at", timestamp()}};
    if (form_ == Form::chat) {
      json["message"] = {{"role", "assistant"}, {"content", text}};
    } else {
      json["response"] = text;
    }
    json["done"] = done;
    return json;
  }
  void line(const OrderedJson& json) {
    exchange_->write(json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
  }

  Form form_;
  std::string model_;
  bool stream_;
  std::shared_ptr<const Tools> tools_;
  HeldText held_;
  SaidOrCalled said_;
  OrderedJson boxes_;
  Clock::time_point begin_ = Clock::now(), prompt_read_ = begin_;
};

void add_images(const Call& call, const Ask& ask, const OrderedJson& holder, models::ChatMessage& message,
                size_t& media_count) {
  const OrderedJson* images = member(holder, "images");
  if (images == nullptr) return;
  for (const OrderedJson& image : *images) {
    if (!image.is_string())
      throw ApiError(400, "\"images\" holds something else than base64", "invalid_value", "images");
    add_media(call, ask, message, {decode_base64(image.get_ref<const std::string&>())}, media_count);
  }
}

// The settings' names, as OpenAI's API has them.
void read_options(const OrderedJson& body, Ask& ask) {
  OrderedJson settings = OrderedJson::object();
  const OrderedJson* options = member(body, "options");
  if (options != nullptr) settings = *options;
  if (const OrderedJson* penalty = member(settings, "repeat_penalty"))
    settings["repetition_penalty"] = OrderedJson(*penalty);
  read_openai_sampling(settings, ask);
  const int64_t most = integer_or(settings, "num_predict", -1, -2, 1 << 20);
  if (most > 0) ask.job.options.max_tokens = most;
  const OrderedJson* format = member(body, "format");
  if (format == nullptr || *format == "") return;
  if (*format == "json") {
    require_json(ask);
  } else if (format->is_object()) {
    require_schema(ask, *format, "format");
  } else {
    throw ApiError(400, "\"format\" is neither \"json\" nor a schema", "invalid_value", "format");
  }
}

}  // namespace

void ollama_chat(Call& call) {
  const OrderedJson& body = call.body;
  const std::string model = plain_name(string_or(body, "model", ""));
  Ask ask = begin_ask(call, model);
  size_t media_count = 0;
  for (const OrderedJson& message : body.at("messages")) {
    // Pictures stand beside the text here; everything else is as OpenAI writes it.
    OrderedJson plain = message;
    if (message.is_object()) plain.erase("images");
    const bool has_images = message.is_object() && member(message, "images") != nullptr;
    std::vector<models::ChatMessage> read;
    if (has_images && string_or(message, "content", "").empty()) {
      read.push_back({.role = "user"});
    } else {
      read = read_openai_messages(call, ask, OrderedJson::array({plain}));
    }
    models::ChatMessage with_images{.role = read.front().role};
    if (has_images) add_images(call, ask, message, with_images, media_count);
    with_images.parts.insert(with_images.parts.end(), read.front().parts.begin(), read.front().parts.end());
    ask.job.messages.push_back(std::move(with_images));
  }
  read_options(body, ask);
  offer_tools(ask, read_openai_tools(body));
  auto sink =
      std::make_shared<OllamaSink>(call, OllamaSink::Form::chat, model, bool_or(body, "stream", true), ask.tools);
  submit(call, std::move(ask), std::move(sink));
}

void ollama_generate(Call& call) {
  const OrderedJson& body = call.body;
  const std::string model = plain_name(string_or(body, "model", ""));
  Ask ask = begin_ask(call, model);
  const std::string prompt = string_or(body, "prompt", ""), system = string_or(body, "system", "");
  if (prompt.empty()) throw ApiError(400, "\"prompt\" is missing", "missing_required_parameter", "prompt");
  if (bool_or(body, "raw", false)) {
    const OrderedJson* images = member(body, "images");
    if (!system.empty() || (images != nullptr && !images->empty()))
      throw ApiError(400, "a prompt that is \"raw\" stands alone, without \"system\" and \"images\"", "invalid_value",
                     "raw");
    ask.job.prompt = prompt;
  } else {
    if (!system.empty()) ask.job.messages.push_back({.role = "system", .parts = {{.text = system}}});
    models::ChatMessage message{.role = "user"};
    size_t media_count = 0;
    add_images(call, ask, body, message, media_count);
    add_text(message, prompt);
    ask.job.messages.push_back(std::move(message));
  }
  read_options(body, ask);
  auto sink =
      std::make_shared<OllamaSink>(call, OllamaSink::Form::generate, model, bool_or(body, "stream", true), nullptr);
  submit(call, std::move(ask), std::move(sink));
}

void ollama_tags(Call& call) {
  OrderedJson models = OrderedJson::array();
  for (const std::string& name : call.services.models.names()) {
    const auto description = call.services.models.description(name);
    const std::string family = description ? description->value("family", "") : "";
    models.push_back({{"name", name},
                      {"model", name},
                      {"modified_at", timestamp()},
                      {"size", 0},
                      {"digest", ""},
                      {"details",
                       {{"format", ""},
                        {"family", family},
                        {"families", OrderedJson::array({family})},
                        {"parameter_size", ""},
                        {"quantization_level", ""}}}});
  }
  call.send_json({{"models", models}});
}

void ollama_version(Call& call) { call.send_json({{"version", SENSORIUM_VERSION}}); }

}  // namespace sensorium::server
