#include "server/routes/conversation_routes.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <charconv>

#include "base/log.h"
#include "server/routes/ask.h"
#include "server/storage/conversations.h"

namespace sensorium::server {
namespace {

constexpr size_t kMostTitleBytes = 500, kMostIdBytes = 64;
constexpr int64_t kMostListed = 200;

// What the store does; where it fails the client may try again later.
template <typename Work>
auto with_store(const Call& call, Work&& work) {
  ConversationStore* const store = call.services.conversations;
  if (store == nullptr)
    throw ApiError(501, "this server keeps no conversations; start it with --database", "no_database");
  try {
    return work(*store);
  } catch (const ApiError&) {
    throw;
  } catch (const Error& error) {
    log_warning("conversations: {}", error.message());
    throw ApiError(503, "the database does not answer; try again later", "database_down").retry_after(2);
  }
}

const std::string& checked_id(const std::string& id) {
  const bool good =
      !id.empty() && id.size() <= kMostIdBytes &&
      id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == std::string::npos;
  if (!good) throw ApiError(400, "an id is 1 to 64 letters, digits, - or _", "invalid_value", "id");
  return id;
}

ApiError missing() { return {404, "there is no such conversation", "conversation_not_found"}; }

OrderedJson summary_json(const Conversation& conversation) {
  return {{"id", conversation.id},
          {"title", conversation.title},
          {"created_at", conversation.created_s},
          {"updated_at", conversation.updated_s},
          {"messages_count", conversation.message_count}};
}

OrderedJson whole_json(const Conversation& conversation) {
  OrderedJson json = summary_json(conversation);
  json["messages"] = OrderedJson::array();
  for (const StoredMessage& message : conversation.messages) {
    json["messages"].push_back({{"id", message.id},
                                {"role", message.role},
                                {"content", OrderedJson::parse(message.content, nullptr, false)},
                                {"created_at", message.created_s}});
  }
  return json;
}

Conversation find(const Call& call) {
  const std::string& id = checked_id(call.values[0]);
  std::optional<Conversation> found =
      with_store(call, [&](ConversationStore& store) { return store.get(call.client, id); });
  if (!found) throw missing();
  return std::move(*found);
}

// The texts of a message; what else there is is named.
std::string content_markdown(const OrderedJson& content) {
  if (content.is_string()) return content.get<std::string>();
  std::string out;
  if (!content.is_array())
    return "```json\n" + content.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n```";
  for (const OrderedJson& part : content) {
    if (!out.empty()) out += "\n\n";
    const std::string type =
        part.is_object() && part.contains("type") && part["type"].is_string() ? part["type"].get<std::string>() : "";
    const bool has_text = part.is_object() && part.contains("text") && part["text"].is_string();
    out += has_text ? part["text"].get<std::string>() : fmt::format("*({})*", type.empty() ? "part" : type);
  }
  return out;
}

std::string markdown(const Conversation& conversation) {
  std::string out =
      fmt::format("# {}\n\n{:%F %T} UTC\n", conversation.title.empty() ? "Conversation" : conversation.title,
                  fmt::gmtime(static_cast<std::time_t>(conversation.created_s)));
  for (const StoredMessage& message : conversation.messages) {
    out += fmt::format("\n## {}\n\n{}\n", message.role,
                       content_markdown(OrderedJson::parse(message.content, nullptr, false)));
  }
  return out;
}

std::string read_title(const Call& call) {
  const std::string title = string_or(call.body, "title", "");
  if (title.size() > kMostTitleBytes || title.find('\0') != std::string::npos)
    throw ApiError(400, fmt::format("a title has at most {} bytes, and no NUL", kMostTitleBytes), "invalid_value",
                   "title");
  return title;
}

void store_conversation(Call& call, const std::string& id) {
  const std::string title = read_title(call);
  if (!with_store(call, [&](ConversationStore& store) { return store.put(call.client, id, title); })) throw missing();
  call.send_json({{"id", id}, {"title", title}});
}

int64_t number_parameter(const Call& call, const char* name, int64_t fallback, int64_t high) {
  const std::optional<std::string> text = call.request().parameter(name);
  if (!text) return fallback;
  int64_t number = -1;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size() || number < 0 || number > high)
    throw ApiError(400, fmt::format("{} is no number of 0..{}", name, high), "invalid_value", name);
  return number;
}

}  // namespace

void list_conversations(Call& call) {
  const int64_t most = number_parameter(call, "limit", 50, kMostListed),
                skipped = number_parameter(call, "offset", 0, int64_t{1} << 31);
  OrderedJson list = OrderedJson::array();
  for (const Conversation& conversation :
       with_store(call, [&](ConversationStore& store) { return store.list(call.client, most, skipped); })) {
    list.push_back(summary_json(conversation));
  }
  call.send_json({{"conversations", list}});
}

void create_conversation(Call& call) { store_conversation(call, random_id("c")); }
void put_conversation(Call& call) { store_conversation(call, checked_id(call.values[0])); }
void get_conversation(Call& call) { call.send_json(whole_json(find(call))); }

void delete_conversation(Call& call) {
  const std::string& id = checked_id(call.values[0]);
  if (!with_store(call, [&](ConversationStore& store) { return store.remove(call.client, id); })) throw missing();
  call.send_json({{"id", id}, {"deleted", true}});
}

void export_conversation(Call& call) {
  const std::string format = call.request().parameter("format").value_or("json");
  if (format != "json" && format != "markdown")
    throw ApiError(400, "format is neither json nor markdown", "invalid_value", "format");
  const Conversation conversation = find(call);
  const bool json = format == "json";
  call.exchange->send(
      {.content_type = json ? "application/json" : "text/markdown; charset=utf-8",
       .body = json ? whole_json(conversation).dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n"
                    : markdown(conversation),
       .headers = {{"Content-Disposition",
                    fmt::format("attachment; filename=\"{}.{}\"", conversation.id, json ? "json" : "md")}}});
}

void put_message(Call& call) {
  const std::string& id = checked_id(call.values[0]);
  const std::string role = string_or(call.body, "role", "");
  if (role != "system" && role != "user" && role != "assistant" && role != "tool")
    throw ApiError(400, "the role is none of system, user, assistant, tool", "invalid_value", "role");
  // NUL is escaped in JSON, so that no text of a database has one.
  const StoredMessage message{
      .id = checked_id(call.values[1]), .role = role, .content = call.body.at("content").dump(), .created_s = now_s()};
  if (!with_store(call, [&](ConversationStore& store) { return store.put_message(call.client, id, message); }))
    throw missing();
  call.send_json({{"id", message.id}});
}

void delete_message(Call& call) {
  const std::string &id = checked_id(call.values[0]), &message = checked_id(call.values[1]);
  if (!with_store(call, [&](ConversationStore& store) { return store.remove_message(call.client, id, message); }))
    throw missing();
  call.send_json({{"id", message}, {"deleted", true}});
}

}  // namespace sensorium::server
