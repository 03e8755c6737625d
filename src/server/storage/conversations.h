// Conversations that are kept: of an owner, with their messages in order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/storage/database.h"

namespace sensorium::server {

struct StoredMessage {
  std::string id;             // the client's own; unique in its conversation
  std::string role, content;  // JSON: what the client said it is
  int64_t created_s = 0;      // seconds since 1970
};
struct Conversation {
  std::string id, title;
  int64_t created_s = 0, updated_s = 0, message_count = 0;
  std::vector<StoredMessage> messages;  // where asked for
};

// Thread-safe; several servers may share a database. All throw Error(io) if the database fails.
class ConversationStore {
 public:
  // Brings the database's tables up to date.
  explicit ConversationStore(std::unique_ptr<Database> database);

  // The last changed first.
  std::vector<Conversation> list(const std::string& owner, int64_t most, int64_t skipped);
  std::optional<Conversation> get(const std::string& owner, const std::string& id);
  // Makes it, or gives it another title. False: the id is another owner's.
  bool put(const std::string& owner, const std::string& id, const std::string& title);
  // Adds a message at the end, or changes the one with this id. False: there is no such conversation.
  bool put_message(const std::string& owner, const std::string& id, const StoredMessage& message);
  bool remove(const std::string& owner, const std::string& id);
  bool remove_message(const std::string& owner, const std::string& id, const std::string& message);
  bool alive() { return database_->alive(); }

 private:
  void migrate();

  std::unique_ptr<Database> database_;
};

}  // namespace sensorium::server
