// Conversations and settings as OpenAI's chat API writes them.
#pragma once

#include "server/routes/ask.h"

namespace sensorium::server {

// "messages" of a chat, their media as the asked model takes them. Throws ApiError that names the message.
std::vector<models::ChatMessage> read_openai_messages(const Call& call, const Ask& ask, const OrderedJson& messages);
// The text of a part that holds no media.
std::string openai_part_text(const OrderedJson& part);
// What a part holds or names; none if it is a text. Throws ApiError.
std::optional<SentMedia> openai_part_media(const Call& call, const OrderedJson& part);
// A content part of any of OpenAI's APIs (text, image_url, input_image, input_audio, file ...) into a message.
void read_openai_part(const Call& call, const Ask& ask, const OrderedJson& part, models::ChatMessage& message,
                      size_t& media_count);
// temperature, top_p, penalties, logit_bias, stop, seed.
void read_openai_sampling(const OrderedJson& body, Ask& ask);
// {"type": "text" | "json_object" | "json_schema", ...} of "response_format" and of "text.format".
void read_openai_format(const OrderedJson& format, Ask& ask, const char* param);
// "tools" and "tool_choice"; functions stand in {"function": {...}} (chat) or in the tool itself (responses).
std::shared_ptr<const Tools> read_openai_tools(const OrderedJson& body);
OrderedJson usage_json(int64_t prompt_tokens, int64_t reused_tokens, int64_t generated_tokens);

}  // namespace sensorium::server
