#include "server/routes/responses.h"

#include <fmt/format.h>

#include "server/routes/openai_messages.h"

namespace sensorium::server {
namespace {

std::string dump(const OrderedJson& json) { return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

class ResponsesSink : public AnswerSink {
 public:
  ResponsesSink(const Call& call, OrderedJson settings, bool stream, std::shared_ptr<const Tools> tools)
      : AnswerSink(call, Dialect::openai),
        stream_(stream),
        tools_(std::move(tools)),
        held_(tools_.get()),
        settings_(std::move(settings)) {}

  void started(int64_t prompt_tokens, int64_t reused_tokens) override {
    prompt_tokens_ = prompt_tokens;
    reused_tokens_ = reused_tokens;
    if (!stream_) return;
    exchange_->start(event_stream());
    named("response.created", {{"response", response("in_progress", OrderedJson::array())}});
    named("response.in_progress", {{"response", response("in_progress", OrderedJson::array())}});
  }

  void text(int64_t, std::string_view piece, std::span<const generate::TokenLogProbabilities>,
            const text::Tokenizer&) override {
    if (stream_) say(held_.push(piece));
  }

  void finished(int64_t, const generate::Generated& answer, const text::Tokenizer&) override {
    generated_tokens_ = static_cast<int64_t>(answer.tokens.size());
    said_ = read_answer(answer, tools_.get());
    boxes_ = boxes_json(answer.answer.boxes);
  }

  void done() override {
    const bool cut = said_.finish_reason == std::string_view("length");
    OrderedJson item;
    if (said_.call) {
      item = {{"type", "function_call"},
              {"id", random_id("fc_")},
              {"call_id", random_id("call_")},
              {"name", said_.call->name},
              {"arguments", said_.call->arguments},
              {"status", "completed"}};
      if (stream_) stream_call(item);
    } else {
      if (stream_) say(held_.rest());
      if (stream_ && !saying_) begin_message();
      item = message_item(cut ? "incomplete" : "completed", OrderedJson::array({part_json(said_.text)}));
      if (!boxes_.empty()) item["boxes"] = boxes_;
      if (stream_) end_message(item);
    }
    const OrderedJson whole = response(cut ? "incomplete" : "completed", OrderedJson::array({item}));
    if (!stream_) {
      exchange_->send({.body = dump(whole)});
      return;
    }
    named(cut ? "response.incomplete" : "response.completed", {{"response", whole}});
    exchange_->finish();
  }

 protected:
  void stream_error(const ApiError& error) override {
    named("error", {{"code", error.code()}, {"message", error.message()}, {"param", nullptr}});
  }

 private:
  void named(const char* type, OrderedJson data) {
    OrderedJson event{{"type", type}, {"sequence_number", sequence_++}};
    event.update(data);
    exchange_->write(fmt::format("event: {}\ndata: {}\n\n", type, dump(event)));
  }
  static OrderedJson part_json(const std::string& text) {
    return {{"type", "output_text"},
            {"text", text},
            {"annotations", OrderedJson::array()},
            {"logprobs", OrderedJson::array()}};
  }
  OrderedJson message_item(const char* status, OrderedJson content) const {
    return {{"type", "message"},
            {"id", message_id_},
            {"status", status},
            {"role", "assistant"},
            {"content", std::move(content)}};
  }
  OrderedJson response(const char* status, OrderedJson output) const {
    OrderedJson json{{"id", id_},        {"object", "response"}, {"created_at", created_s_},
                     {"status", status}, {"error", nullptr},     {"incomplete_details", nullptr}};
    if (status == std::string_view("incomplete")) json["incomplete_details"] = {{"reason", "max_output_tokens"}};
    json.update(settings_);
    json["output"] = std::move(output);
    json["parallel_tool_calls"] = false;
    json["previous_response_id"] = nullptr;
    json["store"] = false;
    json["truncation"] = "disabled";
    json["usage"] = nullptr;
    if (status != std::string_view("in_progress")) {
      json["usage"] = {{"input_tokens", prompt_tokens_},
                       {"input_tokens_details", {{"cached_tokens", reused_tokens_}}},
                       {"output_tokens", generated_tokens_},
                       {"output_tokens_details", {{"reasoning_tokens", 0}}},
                       {"total_tokens", prompt_tokens_ + generated_tokens_}};
    }
    json["metadata"] = OrderedJson::object();
    return json;
  }
  void begin_message() {
    saying_ = true;
    named("response.output_item.added",
          {{"output_index", 0}, {"item", message_item("in_progress", OrderedJson::array())}});
    named("response.content_part.added",
          {{"item_id", message_id_}, {"output_index", 0}, {"content_index", 0}, {"part", part_json("")}});
  }
  void say(const std::string& text) {
    if (text.empty()) return;
    if (!saying_) begin_message();
    named("response.output_text.delta", {{"item_id", message_id_},
                                         {"output_index", 0},
                                         {"content_index", 0},
                                         {"delta", text},
                                         {"logprobs", OrderedJson::array()}});
  }
  void end_message(const OrderedJson& item) {
    named("response.output_text.done", {{"item_id", message_id_},
                                        {"output_index", 0},
                                        {"content_index", 0},
                                        {"text", said_.text},
                                        {"logprobs", OrderedJson::array()}});
    named("response.content_part.done",
          {{"item_id", message_id_}, {"output_index", 0}, {"content_index", 0}, {"part", part_json(said_.text)}});
    named("response.output_item.done", {{"output_index", 0}, {"item", item}});
  }
  void stream_call(const OrderedJson& item) {
    OrderedJson begun = item;
    begun["status"] = "in_progress";
    begun["arguments"] = "";
    named("response.output_item.added", {{"output_index", 0}, {"item", begun}});
    named("response.function_call_arguments.delta",
          {{"item_id", item["id"]}, {"output_index", 0}, {"delta", item["arguments"]}});
    named("response.function_call_arguments.done",
          {{"item_id", item["id"]}, {"output_index", 0}, {"name", item["name"]}, {"arguments", item["arguments"]}});
    named("response.output_item.done", {{"output_index", 0}, {"item", item}});
  }

  bool stream_;
  std::shared_ptr<const Tools> tools_;
  HeldText held_;
  OrderedJson settings_;  // of the request, which the response repeats
  std::string id_ = random_id("resp_"), message_id_ = random_id("msg_");
  int64_t created_s_ = now_s(), sequence_ = 0;
  bool saying_ = false;
  SaidOrCalled said_;
  OrderedJson boxes_;
};

// Items to the messages of a chat.
OrderedJson messages_of(const OrderedJson& input) {
  if (input.is_string()) return OrderedJson::array({{{"role", "user"}, {"content", input}}});
  OrderedJson messages = OrderedJson::array();
  for (const OrderedJson& item : input) {
    const std::string type = string_or(item, "type", "message");
    if (type == "function_call") {
      const OrderedJson function{{"name", string_or(item, "name", "")},
                                 {"arguments", string_or(item, "arguments", "{}")}};
      messages.push_back({{"role", "assistant"}, {"tool_calls", OrderedJson::array({{{"function", function}}})}});
    } else if (type == "function_call_output") {
      messages.push_back({{"role", "tool"}, {"content", string_or(item, "output", "")}});
    } else if (type == "message") {
      messages.push_back(item);
    } else {
      throw ApiError(
          400,
          fmt::format("an input item of type \"{}\" is none of message, function_call, function_call_output", type),
          "invalid_value", "input");
    }
  }
  return messages;
}

}  // namespace

void responses(Call& call) {
  const OrderedJson& body = call.body;
  if (member(body, "previous_response_id") != nullptr)
    throw ApiError(400, "this server keeps no responses: send the whole conversation as \"input\"",
                   "unsupported_parameter", "previous_response_id");
  const std::string model = string_or(body, "model", "");
  Ask ask = begin_ask(call, model);
  ask.job.messages = read_openai_messages(call, ask, messages_of(body.at("input")));
  const std::string instructions = string_or(body, "instructions", "");
  if (!instructions.empty())
    ask.job.messages.insert(ask.job.messages.begin(), {.role = "system", .parts = {{.text = instructions}}});
  read_openai_sampling(body, ask);
  ask.job.options.max_tokens = integer_or(body, "max_output_tokens", ask.job.options.max_tokens, 1, 1 << 20);
  OrderedJson format{{"type", "text"}};
  if (const OrderedJson* text = member(body, "text")) {
    if (const OrderedJson* given = member(*text, "format")) read_openai_format(format = *given, ask, "text.format");
  }
  offer_tools(ask, read_openai_tools(body));
  const OrderedJson* tools = member(body, "tools");
  const OrderedJson* choice = member(body, "tool_choice");
  const OrderedJson settings{
      {"instructions", instructions.empty() ? OrderedJson() : OrderedJson(instructions)},
      {"max_output_tokens", body.contains("max_output_tokens") ? body["max_output_tokens"] : OrderedJson()},
      {"model", model},
      {"temperature", ask.job.options.sampling.temperature},
      {"top_p", ask.job.options.sampling.top_p},
      {"text", {{"format", format}}},
      {"tool_choice", choice == nullptr ? OrderedJson("auto") : *choice},
      {"tools", tools == nullptr ? OrderedJson::array() : *tools}};
  auto sink = std::make_shared<ResponsesSink>(call, settings, bool_or(body, "stream", false), ask.tools);
  submit(call, std::move(ask), std::move(sink));
}

}  // namespace sensorium::server
