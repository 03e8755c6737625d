#include "server/routes/gemini.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"
#include "server/routes/gemini_parts.h"
#include "server/routes/gemini_schema.h"
#include "server/routes/openai_messages.h"
#include "server/routes/unavailable.h"

namespace sensorium::server {
namespace {

std::string dump(const OrderedJson& json) { return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

void read_part(const Call& call, const Ask& ask, const OrderedJson& part, models::ChatMessage& message,
               size_t& media_count) {
  if (!part.is_object()) throw ApiError(400, "a part is no object", "", "contents");
  if (const OrderedJson* text = member(part, "text")) {
    add_text(message, text_of(text));
  } else if (const std::optional<SentMedia> media = gemini_part_media(call, part)) {
    add_media(call, ask, message, *media, media_count);
  } else if (const OrderedJson* made = either(part, "functionCall")) {
    const OrderedJson* arguments = member(*made, "args");
    add_text(message, call_text({text_of(member(*made, "name")), arguments == nullptr ? "{}" : dump(*arguments)}));
  } else if (const OrderedJson* result = either(part, "functionResponse")) {
    const OrderedJson* value = member(*result, "response");
    add_text(message, fmt::format("Result of the call of {}: {}", text_of(member(*result, "name")),
                                  value == nullptr ? "{}" : dump(*value)));
  } else {
    throw ApiError(400, "a part has none of text, inlineData, fileData, functionCall, functionResponse", "",
                   "contents");
  }
}

models::ChatMessage read_content(const Call& call, const Ask& ask, const OrderedJson& content, std::string role,
                                 size_t& media_count) {
  models::ChatMessage message{.role = std::move(role)};
  if (content.is_string()) {
    add_text(message, content.get<std::string>());
    return message;
  }
  const OrderedJson* parts = member(content, "parts");
  if (parts == nullptr) throw ApiError(400, "a content has no parts", "", "contents");
  if (!parts->is_array()) {
    read_part(call, ask, *parts, message, media_count);
    return message;
  }
  for (const OrderedJson& part : *parts) read_part(call, ask, part, message, media_count);
  return message;
}

void read_contents(const Call& call, const OrderedJson& body, Ask& ask) {
  size_t media_count = 0;
  if (const OrderedJson* system = either(body, "systemInstruction"))
    ask.job.messages.push_back(read_content(call, ask, *system, "system", media_count));
  const OrderedJson* given = member(body, "contents");
  if (given == nullptr) throw ApiError(400, "\"contents\" is missing", "", "contents");
  const OrderedJson contents = given->is_array() ? *given : OrderedJson::array({*given});
  for (const OrderedJson& content : contents) {
    const std::string role = content.is_object() ? string_or(content, "role", "user") : "user";
    if (role != "user" && role != "model" && role != "function")
      throw ApiError(400, fmt::format("role \"{}\" is neither user nor model", role), "", "contents");
    ask.job.messages.push_back(read_content(call, ask, content, role == "model" ? "assistant" : "user", media_count));
  }
}

// The settings' names, as OpenAI's API has them.
void read_config(const OrderedJson& body, Ask& ask) {
  const OrderedJson* given = either(body, "generationConfig");
  const OrderedJson config = given == nullptr ? OrderedJson::object() : *given;
  OrderedJson settings = OrderedJson::object();
  const auto copy = [&](const char* from, const char* to) {
    if (const OrderedJson* value = either(config, from)) settings[to] = *value;
  };
  copy("temperature", "temperature");
  copy("topP", "top_p");
  copy("presencePenalty", "presence_penalty");
  copy("frequencyPenalty", "frequency_penalty");
  copy("stopSequences", "stop");
  copy("seed", "seed");
  copy("maxOutputTokens", "max_tokens");
  copy("candidateCount", "n");
  copy("logprobs", "top_logprobs");
  if (const OrderedJson* k = either(config, "topK"); k != nullptr && k->is_number())
    settings["top_k"] = static_cast<int64_t>(k->get<double>());
  read_openai_sampling(settings, ask);
  ask.job.options.max_tokens = integer_or(settings, "max_tokens", ask.job.options.max_tokens, 1, 1 << 20);
  ask.job.samples = integer_or(settings, "n", 1, 1, 8);
  if (const OrderedJson* modalities = either(config, "responseModalities")) require_text_output(*modalities);
  const OrderedJson* log_probabilities = either(config, "responseLogprobs");
  if (log_probabilities != nullptr && *log_probabilities == true)
    ask.job.options.top_log_probabilities = integer_or(settings, "top_logprobs", 0, 0, 20);
  const std::string type = text_of(either(config, "responseMimeType"));
  if (const OrderedJson* schema = either(config, "responseJsonSchema")) {
    require_schema(ask, *schema, "responseJsonSchema");
  } else if (const OrderedJson* own = either(config, "responseSchema")) {
    require_schema(ask, json_schema_of_gemini(*own), "responseSchema");
  } else if (type == "application/json") {
    require_json(ask);
  } else if (!type.empty() && type != "text/plain") {
    throw ApiError(400, "responseMimeType is neither text/plain nor application/json", "", "responseMimeType");
  }
}

std::shared_ptr<const Tools> read_tools(const OrderedJson& body) {
  const OrderedJson* tools = member(body, "tools");
  if (tools == nullptr) return nullptr;
  std::vector<ToolFunction> functions;
  for (const OrderedJson& tool : *tools) {
    const OrderedJson* declarations = either(tool, "functionDeclarations");
    if (declarations == nullptr)
      throw ApiError(400, "this server offers functions only: a tool has functionDeclarations", "", "tools");
    for (const OrderedJson& declaration : *declarations) {
      const OrderedJson* own = member(declaration, "parameters");
      const OrderedJson* standard = either(declaration, "parametersJsonSchema");
      functions.push_back({text_of(member(declaration, "name")), text_of(member(declaration, "description")),
                           standard != nullptr ? *standard
                           : own != nullptr    ? json_schema_of_gemini(*own)
                                               : OrderedJson()});
    }
  }
  Tools::Choice choice = Tools::Choice::automatic;
  std::string only;
  const OrderedJson* tool_config = either(body, "toolConfig");
  const OrderedJson* calling = tool_config == nullptr ? nullptr : either(*tool_config, "functionCallingConfig");
  if (calling != nullptr) {
    const std::string mode = text_of(member(*calling, "mode"));
    choice = mode == "NONE" ? Tools::Choice::none : mode == "ANY" ? Tools::Choice::required : Tools::Choice::automatic;
    const OrderedJson* allowed = either(*calling, "allowedFunctionNames");
    if (choice == Tools::Choice::required && allowed != nullptr && !allowed->empty()) {
      std::erase_if(functions, [&](const ToolFunction& function) {
        return std::find(allowed->begin(), allowed->end(), OrderedJson(function.name)) == allowed->end();
      });
    }
  }
  return std::make_shared<const Tools>(std::move(functions), choice, only);
}

class GeminiSink : public AnswerSink {
 public:
  enum class Form : uint8_t { whole, list, events };
  GeminiSink(const Call& call, Form form, std::string model, std::shared_ptr<const Tools> tools, int64_t samples)
      : AnswerSink(call, Dialect::gemini),
        form_(form),
        model_(std::move(model)),
        tools_(std::move(tools)),
        held_(static_cast<size_t>(samples), HeldText(tools_.get())),
        candidates_(static_cast<size_t>(samples)) {}

  void started(int64_t prompt_tokens, int64_t reused_tokens) override {
    prompt_tokens_ = prompt_tokens;
    reused_tokens_ = reused_tokens;
    if (form_ == Form::events) exchange_->start(event_stream());
    if (form_ == Form::list) exchange_->start({.body = "["});
  }
  void text(int64_t sample, std::string_view piece, std::span<const generate::TokenLogProbabilities>,
            const text::Tokenizer&) override {
    if (form_ == Form::whole) return;
    const std::string shown = held_[static_cast<size_t>(sample)].push(piece);
    if (!shown.empty())
      tell({{"candidates", OrderedJson::array({{{"content", content({{"text", shown}})}, {"index", sample}}})}});
  }
  void finished(int64_t sample, const generate::Generated& answer, const text::Tokenizer& tokenizer) override {
    generated_tokens_ += static_cast<int64_t>(answer.tokens.size());
    const SaidOrCalled said = read_answer(answer, tools_.get());
    OrderedJson part{{"text", form_ == Form::whole ? said.text : held_[static_cast<size_t>(sample)].rest()}};
    if (said.call)
      part = {{"functionCall", {{"name", said.call->name}, {"args", OrderedJson::parse(said.call->arguments)}}}};
    OrderedJson candidate{{"content", content(part)},
                          {"finishReason", said.finish_reason == std::string_view("length") ? "MAX_TOKENS" : "STOP"},
                          {"index", sample}};
    if (!answer.log_probabilities.empty()) add_log_probabilities(candidate, answer, tokenizer);
    if (!answer.answer.boxes.empty()) candidate["boxes"] = boxes_json(answer.answer.boxes);
    candidates_[static_cast<size_t>(sample)] = std::move(candidate);
  }
  void done() override {
    const OrderedJson usage{{"promptTokenCount", prompt_tokens_},
                            {"candidatesTokenCount", generated_tokens_},
                            {"totalTokenCount", prompt_tokens_ + generated_tokens_},
                            {"cachedContentTokenCount", reused_tokens_}};
    OrderedJson last{{"candidates", candidates_}, {"usageMetadata", usage}};
    if (form_ == Form::whole) {
      exchange_->send({.body = dump(with_names(last))});
      return;
    }
    tell(last);
    if (form_ == Form::list) exchange_->write("]\n");
    exchange_->finish();
  }

 protected:
  void stream_error(const ApiError& error) override {
    if (form_ == Form::events) {
      event(error_body(error, Dialect::gemini));
    } else {
      exchange_->write((told_ ? ",\n" : "") + error_body(error, Dialect::gemini) + "]\n");
    }
  }

 private:
  static OrderedJson content(const OrderedJson& part) {
    return {{"parts", OrderedJson::array({part})}, {"role", "model"}};
  }
  OrderedJson with_names(OrderedJson json) const {
    json["modelVersion"] = model_;
    json["responseId"] = id_;
    return json;
  }
  void tell(const OrderedJson& json) {
    const std::string text = dump(with_names(json));
    if (form_ == Form::events) {
      event(text);
    } else {
      exchange_->write((std::exchange(told_, true) ? ",\n" : "") + text);
    }
  }
  static void add_log_probabilities(OrderedJson& candidate, const generate::Generated& answer,
                                    const text::Tokenizer& tokenizer) {
    const auto one = [&](const generate::TokenProbability& token) {
      return OrderedJson{{"token", repair_utf8(tokenizer.token_bytes(token.token))},
                         {"tokenId", token.token},
                         {"logProbability", token.log_probability}};
    };
    OrderedJson chosen = OrderedJson::array(), top = OrderedJson::array();
    double sum = 0;
    for (const generate::TokenLogProbabilities& token : answer.log_probabilities) {
      chosen.push_back(one(token.chosen));
      OrderedJson candidates = OrderedJson::array();
      for (const generate::TokenProbability& other : token.top) candidates.push_back(one(other));
      top.push_back({{"candidates", candidates}});
      sum += token.chosen.log_probability;
    }
    candidate["avgLogprobs"] = sum / static_cast<double>(answer.log_probabilities.size());
    candidate["logprobsResult"] = {{"chosenCandidates", chosen}, {"topCandidates", top}};
  }

  Form form_;
  std::string model_, id_ = random_id("");
  std::shared_ptr<const Tools> tools_;
  std::vector<HeldText> held_;
  std::vector<OrderedJson> candidates_;
  bool told_ = false;
};

void generate_content(Call& call, GeminiSink::Form form) {
  const OrderedJson& body = call.body;
  Ask ask = begin_ask(call, call.values[0]);
  read_contents(call, body, ask);
  read_config(body, ask);
  offer_tools(ask, read_tools(body));
  auto sink = std::make_shared<GeminiSink>(call, form, call.values[0], ask.tools, ask.job.samples);
  submit(call, std::move(ask), std::move(sink));
}

class CountSink : public AnswerSink {
 public:
  explicit CountSink(const Call& call) : AnswerSink(call, Dialect::gemini) {}
  void started(int64_t prompt_tokens, int64_t) override { prompt_tokens_ = prompt_tokens; }
  void done() override { exchange_->send({.body = dump({{"totalTokens", prompt_tokens_}})}); }
};

}  // namespace

OrderedJson gemini_model_json(const ModelPool& pool, const std::string& name) {
  OrderedJson json{{"name", "models/" + name}, {"version", SENSORIUM_VERSION}, {"displayName", name}};
  const auto description = pool.description(name);
  if (description && description->contains("context_tokens")) {
    json["inputTokenLimit"] = (*description)["context_tokens"];
    json["outputTokenLimit"] = (*description)["context_tokens"];
  }
  json["supportedGenerationMethods"] = {"generateContent", "streamGenerateContent", "countTokens"};
  if (description && description->contains("embeds")) {
    for (const char* method : {"embedContent", "batchEmbedContents"})
      json["supportedGenerationMethods"].push_back(method);
  }
  return json;
}

void gemini_generate(Call& call) { generate_content(call, GeminiSink::Form::whole); }

void gemini_stream(Call& call) {
  generate_content(call, call.request().parameter("alt") == "sse" ? GeminiSink::Form::events : GeminiSink::Form::list);
}

void gemini_count(Call& call) {
  Ask ask = begin_ask(call, call.values[0]);
  const OrderedJson* whole = member(call.body, "generateContentRequest");
  read_contents(call, whole == nullptr ? call.body : *whole, ask);
  ask.job.samples = 0;
  submit(call, std::move(ask), std::make_shared<CountSink>(call));
}

void gemini_models(Call& call) {
  OrderedJson models = OrderedJson::array();
  for (const std::string& name : call.services.models.names())
    models.push_back(gemini_model_json(call.services.models, name));
  call.send_json({{"models", models}});
}

void gemini_model(Call& call) {
  const std::string& name = call.values[0];
  if (!call.services.models.has(name))
    throw ApiError(404, fmt::format("there is no model \"{}\" here", name), "model_not_found", "model");
  call.send_json(gemini_model_json(call.services.models, name));
}

}  // namespace sensorium::server
