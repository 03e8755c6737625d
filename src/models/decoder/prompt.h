// Prompts of published chat models: the styles that their training wrote turns in.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/model.h"
#include "text/tokenizer.h"

namespace sensorium::models {

// What stands around the turns. Pictures stand in front of the text that follows them, each as `image_token` and a line feed.
struct PromptStyle {
  const char* name;
  const char* system_begin;
  const char* system_end;
  const char* user_begin;
  const char* user_end;
  const char* assistant_begin;
  const char* assistant_end;
  const char* default_system;       // said if the conversation has no system turn; "" for none
  bool system_inside_user = false;  // what the system says stands at the beginning of the first user turn
};

// The style of a decoder: by the control tokens that its tokenizer has and by its model_type.
const PromptStyle& prompt_style(const text::Tokenizer& tokenizer, const std::string& decoder_type);

// The token ids of the turns and of the beginning of the assistant's next one. What users write never becomes a control token.
// Throws Error(usage): an unknown role, or a picture where `image_token` is "".
std::vector<int32_t> write_prompt(const text::Tokenizer& tokenizer, const PromptStyle& style,
                                  std::span<const ChatMessage> messages, const std::string& image_token = "");

}  // namespace sensorium::models
