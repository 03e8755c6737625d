// /api/conversations: what the web page keeps.
#pragma once

#include <array>

#include "server/routes/route.h"

namespace sensorium::server {

inline constexpr std::array kConversationFields = std::to_array<Field>({
    {"title", kString, false, "what the list shows"},
});
inline constexpr std::array kMessageFields = std::to_array<Field>({
    {"role", kString, true, "system, user, assistant or tool"},
    {"content", kString | kArray | kObject, true, "kept as it is, and given back so"},
});

void list_conversations(Call& call);
void create_conversation(Call& call);
void get_conversation(Call& call);
void put_conversation(Call& call);
void delete_conversation(Call& call);
void export_conversation(Call& call);
void put_message(Call& call);
void delete_message(Call& call);

}  // namespace sensorium::server
