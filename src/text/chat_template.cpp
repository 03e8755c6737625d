#include "text/chat_template.h"

#include "base/file.h"
#include "text/component.h"
#include "text/tokenizer_config.h"

namespace sensorium::text {
namespace {

constexpr size_t kMaxFileBytes = size_t{16} << 20;

// "chat_template" of a JSON file: a string, or [{"name": "default", "template": "..."}].
struct Sources {
  std::optional<std::string> main, tools;
};

Sources find_sources(const Json& json) {
  Sources sources;
  const Json* member = find_member(json, "chat_template");
  if (member == nullptr) return sources;
  if (member->is_string()) {
    sources.main = member->get<std::string>();
    return sources;
  }
  require(member->is_array(), ErrorKind::invalid_data, "\"chat_template\": expected a string or a list, found {}",
          member->type_name());
  for (const Json& entry : *member) {
    const std::string name = get_string(entry, "name");
    if (name == "default") sources.main = get_string(entry, "template");
    if (name == "tool_use") sources.tools = get_string(entry, "template");
  }
  return sources;
}

Sources read_sources(const std::filesystem::path& folder, std::filesystem::path& from) {
  std::error_code ignored;
  from = folder / "chat_template.jinja";
  if (std::filesystem::exists(from, ignored)) return {read_file(from, kMaxFileBytes), std::nullopt};
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    from = folder / name;
    if (!std::filesystem::exists(from, ignored)) continue;
    const Json json = read_json_file(from);
    Sources sources;
    try {
      sources = find_sources(json);
    } catch (const Error& error) {
      throw error.with_context(from.string());
    }
    if (sources.main) return sources;
  }
  return {};
}

}  // namespace

Result<ChatTemplate> ChatTemplate::parse(std::string_view source, OrderedJson tokens) {
  auto parsed = jinja::Template::parse(source);
  if (!parsed) return parsed.error().with_context("chat template");
  return ChatTemplate(std::string(source), std::move(parsed).value(), std::move(tokens));
}

Result<jinja::Rendered> ChatTemplate::render(const OrderedJson& messages, const ChatOptions& options) const {
  if (!messages.is_array()) return Error(ErrorKind::usage, "a conversation must be a list of messages");
  for (const OrderedJson& message : messages) {
    if (!message.is_object() || !message.contains("role") || !message["role"].is_string()) {
      return Error(ErrorKind::usage, "each message of a conversation must be an object with a \"role\"");
    }
  }
  jinja::RenderVariables variables;
  variables.program = tokens_;
  for (const auto& [name, value] : options.more.items()) variables.program[name] = value;
  variables.program["add_generation_prompt"] = options.add_generation_prompt;
  variables.user["messages"] = messages;
  variables.user["tools"] = options.tools;
  const bool with_tools = tool_template_ && !options.tools.empty();
  auto rendered = (with_tools ? *tool_template_ : template_).render(variables, options.limits);
  if (!rendered) return rendered.error().with_context("chat template");
  return rendered;
}

Result<std::optional<ChatTemplate>> read_chat_template(const std::filesystem::path& folder) {
  std::filesystem::path from = folder;
  try {
    const Sources sources = read_sources(folder, from);
    if (!sources.main) return std::optional<ChatTemplate>();
    OrderedJson tokens = OrderedJson::object();
    for (const auto& [role, token] : read_tokenizer_config(folder).tokens) tokens[role] = token;
    auto parsed = ChatTemplate::parse(*sources.main, std::move(tokens));
    if (!parsed) return parsed.error().with_context(from.string());
    ChatTemplate chat = std::move(parsed).value();
    if (sources.tools) {
      auto for_tools = jinja::Template::parse(*sources.tools);
      if (!for_tools) return for_tools.error().with_context(from.string() + ": template \"tool_use\"");
      chat.tool_template_ = std::move(for_tools).value();
    }
    return std::optional(std::move(chat));
  } catch (const Error& error) {
    return error;
  }
}

ChatTemplate builtin_chat_template(std::string_view name) {
  std::string names;
  for (const BuiltinChatTemplate& known : builtin_chat_templates()) {
    if (known.name == name) {
      return ChatTemplate::parse(known.source, {{"bos_token", known.bos_token},
                                                {"eos_token", known.eos_token},
                                                {"default_system", known.default_system},
                                                {"turn_end", known.turn_end}})
          .value();
    }
    names += fmt::format("{}{}", names.empty() ? "" : ", ", known.name);
  }
  fail(ErrorKind::not_found, "there is no built-in chat template \"{}\"; known: {}", name, names);
}

std::vector<int32_t> encode_chat(const Tokenizer& tokenizer, const jinja::Rendered& prompt, Affixes affixes) {
  return tokenizer.encode(prompt.text, {Specials::parse, affixes, prompt.user});
}

}  // namespace sensorium::text
