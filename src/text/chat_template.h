// Chat templates: a conversation to the prompt that a model was trained on. They come with a checkpoint, or from a table
// of built-in ones for checkpoints that have none.
// Reference behaviour: apply_chat_template() of Hugging Face's transformers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "text/template/template.h"
#include "text/tokenizer.h"

namespace sensorium::text {

struct ChatOptions {
  bool add_generation_prompt = true;         // the prompt ends where the assistant's answer begins
  OrderedJson tools;                         // a list of function descriptions, or null
  OrderedJson more = OrderedJson::object();  // other variables of the template: {"enable_thinking": false}
  jinja::RenderOptions limits;
};

class ChatTemplate {
 public:
  // `tokens` are the variables that name tokens: {"bos_token": "<s>"}. Errors: those of jinja::Template::parse().
  static Result<ChatTemplate> parse(std::string_view source, OrderedJson tokens = OrderedJson::object());

  // `messages`: [{"role": "user", "content": "..."}]; content may also be a list of parts, {"type": "image"} and
  // {"type": "text", "text": "..."}. The result says which parts of the prompt the messages and tools brought.
  // Errors: those of jinja::Template::render(); usage for messages that are no list of objects with a role.
  Result<jinja::Rendered> render(const OrderedJson& messages, const ChatOptions& options = {}) const;

  const std::string& source() const { return source_; }

 private:
  ChatTemplate(std::string source, jinja::Template parsed, OrderedJson tokens)
      : source_(std::move(source)), template_(std::move(parsed)), tokens_(std::move(tokens)) {}

  std::string source_;
  jinja::Template template_;
  std::optional<jinja::Template> tool_template_;  // some checkpoints have another one for conversations with tools
  OrderedJson tokens_;

  friend Result<std::optional<ChatTemplate>> read_chat_template(const std::filesystem::path& folder);
};

// The template in the folder of a model: chat_template.jinja, else chat_template.json, else tokenizer_config.json; none
// if no file has one. Errors: those of parse(), with the file's name; io.
Result<std::optional<ChatTemplate>> read_chat_template(const std::filesystem::path& folder);

struct BuiltinChatTemplate {
  std::string_view name;
  std::string_view models;  // who was trained on it
  std::string_view source;
  std::string_view bos_token, eos_token;  // eos_token ends an answer
  std::string_view default_system;        // said if the conversation has no system turn; "" for none
  std::string_view turn_end;              // ChatML: what stands between turns
};
std::span<const BuiltinChatTemplate> builtin_chat_templates();
// Throws Error(not_found), which lists the names.
ChatTemplate builtin_chat_template(std::string_view name);

// The ids of a prompt: control tokens are those that the template itself wrote, never those in a message.
std::vector<int32_t> encode_chat(const Tokenizer& tokenizer, const jinja::Rendered& prompt,
                                 Affixes affixes = Affixes::none);

}  // namespace sensorium::text
