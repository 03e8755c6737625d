#include "server/routes/openai_messages.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "server/routes/services.h"

namespace sensorium::server {
namespace {

constexpr size_t kMostMessages = 2048;

ApiError bad_message(size_t index, const std::string& message) {
  return {400, fmt::format("messages[{}]: {}", index, message), "invalid_value", fmt::format("messages[{}]", index)};
}

// Roles of the API as the models know them.
std::string role_of(const std::string& role, size_t index) {
  if (role == "developer" || role == "system") return "system";
  if (role == "user" || role == "assistant") return role;
  if (role == "tool" || role == "function") return "user";
  throw bad_message(index, fmt::format("role \"{}\" is none of system, developer, user, assistant, tool", role));
}

std::string read_url_member(const OrderedJson& part, const char* name) {
  const OrderedJson* url = member(part, name);
  if (url != nullptr && url->is_object()) return string_or(*url, "url", "");
  return url != nullptr && url->is_string() ? url->get<std::string>() : std::string();
}

// Earlier calls of functions, as the text that the model had written.
void add_calls(const OrderedJson& message, models::ChatMessage& out) {
  const OrderedJson* calls = member(message, "tool_calls");
  if (calls == nullptr || !calls->is_array()) return;
  for (const OrderedJson& call : *calls) {
    const OrderedJson* function = member(call, "function");
    if (function == nullptr) continue;
    add_text(out, call_text({string_or(*function, "name", ""), string_or(*function, "arguments", "{}")}));
  }
}

}  // namespace

std::string openai_part_text(const OrderedJson& part) {
  return string_or(part, string_or(part, "type", "") == "refusal" ? "refusal" : "text", "");
}

std::optional<SentMedia> openai_part_media(const Call& call, const OrderedJson& part) {
  const std::string type = string_or(part, "type", "");
  const auto missing = [&](const char* what) {
    return ApiError(400, fmt::format("a part of type \"{}\" has {}", type, what), "invalid_value", "messages");
  };
  if (type == "text" || type == "input_text" || type == "output_text" || type == "refusal") return std::nullopt;
  if (type == "image_url" || type == "input_image" || type == "video_url" || type == "input_video") {
    const std::string id = string_or(part, "file_id", "");
    const std::string url =
        read_url_member(part, type.starts_with("video") || type == "input_video" ? "video_url" : "image_url");
    if (id.empty() && url.empty()) throw missing("no URL");
    return id.empty() ? call.services.media.read_url(url) : SentMedia{call.services.files.read(call.client, id)};
  }
  if (type == "file" || type == "input_file") {
    const OrderedJson* nested = member(part, "file");
    const OrderedJson& file = nested == nullptr ? part : *nested;
    const std::string id = string_or(file, "file_id", ""), data = string_or(file, "file_data", "");
    if (id.empty() && data.empty()) throw missing("neither file_id nor file_data");
    return !id.empty()                 ? SentMedia{call.services.files.read(call.client, id)}
           : data.starts_with("data:") ? call.services.media.read_url(data)
                                       : SentMedia{decode_base64(data)};
  }
  if (type == "input_audio") {
    const OrderedJson* audio = member(part, "input_audio");
    const std::string data = audio == nullptr ? "" : string_or(*audio, "data", "");
    if (data.empty()) throw missing("no data");
    return SentMedia{decode_base64(data), SentMedia::Kind::sound};
  }
  throw ApiError(400,
                 fmt::format("a part of type \"{}\" is none of text, image_url, input_audio, video_url, file", type),
                 "invalid_value", "messages");
}

void read_openai_part(const Call& call, const Ask& ask, const OrderedJson& part, models::ChatMessage& message,
                      size_t& media_count) {
  if (const std::optional<SentMedia> media = openai_part_media(call, part)) {
    add_media(call, ask, message, *media, media_count);
  } else {
    add_text(message, openai_part_text(part));
  }
}

std::vector<models::ChatMessage> read_openai_messages(const Call& call, const Ask& ask, const OrderedJson& messages) {
  if (messages.size() > kMostMessages)
    throw ApiError(400, fmt::format("there are more than {} messages", kMostMessages), "invalid_value", "messages");
  std::vector<models::ChatMessage> out;
  size_t media_count = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    const OrderedJson& message = messages[i];
    if (!message.is_object()) throw bad_message(i, "is no object");
    const std::string role = string_or(message, "role", "");
    models::ChatMessage read{.role = role_of(role, i)};
    if (role == "tool" || role == "function")
      add_text(read, fmt::format("Result of the call{}: ",
                                 message.contains("name") ? " of " + string_or(message, "name", "") : ""));
    const OrderedJson* content = member(message, "content");
    if (content != nullptr && content->is_string()) {
      add_text(read, content->get<std::string>());
    } else if (content != nullptr && content->is_array()) {
      for (const OrderedJson& part : *content) {
        if (!part.is_object()) throw bad_message(i, "a part of its content is no object");
        read_openai_part(call, ask, part, read, media_count);
      }
    } else if (content != nullptr) {
      throw bad_message(i, "its content is neither a text nor a list of parts");
    }
    add_calls(message, read);
    if (read.parts.empty() && role != "assistant") throw bad_message(i, "it is empty");
    out.push_back(std::move(read));
  }
  return out;
}

void read_openai_sampling(const OrderedJson& body, Ask& ask) {
  generate::GenerateOptions& options = ask.job.options;
  options.sampling.temperature = number_or(body, "temperature", options.sampling.temperature, 0, 2);
  options.sampling.top_p = number_or(body, "top_p", options.sampling.top_p, 1e-6, 1);
  options.sampling.top_k = integer_or(body, "top_k", options.sampling.top_k, 0, 1 << 20);
  options.sampling.min_p = number_or(body, "min_p", options.sampling.min_p, 0, 1);
  options.sampling.repetition_penalty =
      number_or(body, "repetition_penalty", options.sampling.repetition_penalty, 0.01, 10);
  options.sampling.frequency_penalty = number_or(body, "frequency_penalty", options.sampling.frequency_penalty, -2, 2);
  options.sampling.presence_penalty = number_or(body, "presence_penalty", options.sampling.presence_penalty, -2, 2);
  choose_seed(ask, member(body, "seed"));
  if (const OrderedJson* stop = member(body, "stop")) {
    options.stop.clear();
    const OrderedJson list = stop->is_string() ? OrderedJson::array({*stop}) : *stop;
    for (const OrderedJson& text : list) {
      if (!text.is_string() || text.get_ref<const std::string&>().empty())
        throw ApiError(400, "\"stop\" holds something else than texts", "invalid_value", "stop");
      options.stop.push_back(text.get<std::string>());
    }
  }
  const OrderedJson* bias = member(body, "logit_bias");
  if (bias == nullptr) return;
  for (const auto& [key, value] : bias->items()) {
    int32_t token = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token);
    if (error != std::errc() || end != key.data() + key.size() || token < 0 || !value.is_number() ||
        !(std::abs(value.get<double>()) <= 100))
      throw ApiError(400, "\"logit_bias\" maps ids of tokens to numbers of -100..100", "invalid_value", "logit_bias");
    options.sampling.logit_bias.emplace_back(token, value.get<float>());
  }
}

void read_openai_format(const OrderedJson& format, Ask& ask, const char* param) {
  const std::string type = string_or(format, "type", "");
  if (type == "text") return;
  if (type == "json_object") {
    require_json(ask);
    return;
  }
  if (type != "json_schema")
    throw ApiError(400, fmt::format("\"{}\" has a type that is none of text, json_object, json_schema", param),
                   "invalid_value", param);
  const OrderedJson* nested = member(format, "json_schema");
  const OrderedJson* schema = member(nested == nullptr ? format : *nested, "schema");
  if (schema == nullptr) throw ApiError(400, fmt::format("\"{}\" has no schema", param), "invalid_value", param);
  require_schema(ask, *schema, param);
}

std::shared_ptr<const Tools> read_openai_tools(const OrderedJson& body) {
  const OrderedJson* tools = member(body, "tools");
  if (tools == nullptr || tools->empty()) return nullptr;
  std::vector<ToolFunction> functions;
  for (const OrderedJson& tool : *tools) {
    if (string_or(tool, "type", "") != "function")
      throw ApiError(400, "this server offers functions only: a tool's type is \"function\"", "invalid_value", "tools");
    const OrderedJson* nested = member(tool, "function");
    const OrderedJson& function = nested == nullptr ? tool : *nested;
    const OrderedJson* parameters = member(function, "parameters");
    functions.push_back({string_or(function, "name", ""), string_or(function, "description", ""),
                         parameters == nullptr ? OrderedJson() : *parameters});
  }
  Tools::Choice choice = Tools::Choice::automatic;
  std::string only;
  if (const OrderedJson* chosen = member(body, "tool_choice")) {
    if (chosen->is_object()) {
      const OrderedJson* nested = member(*chosen, "function");
      only = string_or(nested == nullptr ? *chosen : *nested, "name", "");
      if (only.empty()) throw ApiError(400, "\"tool_choice\" names no function", "invalid_value", "tool_choice");
      choice = Tools::Choice::required;
    } else if (*chosen == "none") {
      choice = Tools::Choice::none;
    } else if (*chosen == "required") {
      choice = Tools::Choice::required;
    } else if (*chosen != "auto") {
      throw ApiError(400, "\"tool_choice\" is none of none, auto, required, a function", "invalid_value",
                     "tool_choice");
    }
  }
  return std::make_shared<const Tools>(std::move(functions), choice, only);
}

OrderedJson usage_json(int64_t prompt_tokens, int64_t reused_tokens, int64_t generated_tokens) {
  return {{"prompt_tokens", prompt_tokens},
          {"completion_tokens", generated_tokens},
          {"total_tokens", prompt_tokens + generated_tokens},
          {"prompt_tokens_details", {{"cached_tokens", reused_tokens}, {"audio_tokens", 0}}},
          {"completion_tokens_details", {{"reasoning_tokens", 0}, {"audio_tokens", 0}}}};
}

}  // namespace sensorium::server
