#include "server/storage/conversations.h"

#include <array>
#include <chrono>
#include <ctime>
#include <thread>

#include "base/error.h"

namespace sensorium::server {
namespace {

// Each brings a database from the version of its place to the next. What has been released is never changed, only followed.
constexpr std::array<std::array<const char*, 3>, 1> kMigrations = {{
    {"CREATE TABLE conversations (id TEXT PRIMARY KEY, owner TEXT NOT NULL, title TEXT NOT NULL, created_s BIGINT NOT "
     "NULL, "
     "updated_s BIGINT NOT NULL)",
     "CREATE INDEX conversations_of_owner ON conversations (owner, updated_s)",
     "CREATE TABLE messages (conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE, id TEXT NOT "
     "NULL, "
     "position BIGINT NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL, created_s BIGINT NOT NULL, "
     "PRIMARY KEY (conversation, id))"},
}};

int64_t number(const SqlValue& value) {
  const auto* const found = std::get_if<int64_t>(&value);
  return found == nullptr ? 0 : *found;
}
std::string text(const SqlValue& value) {
  const auto* const found = std::get_if<std::string>(&value);
  return found == nullptr ? std::string() : *found;
}

}  // namespace

ConversationStore::ConversationStore(std::unique_ptr<Database> database) : database_(std::move(database)) { migrate(); }

void ConversationStore::migrate() {
  // Several servers may start at once. PostgreSQL lets two of them make the same table "if it does not exist", of which one fails.
  for (int attempt = 1;; ++attempt) {
    try {
      database_->run("CREATE TABLE IF NOT EXISTS schema_version (one BIGINT PRIMARY KEY, version BIGINT NOT NULL)");
      break;
    } catch (const Error&) {
      if (attempt == 3) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  database_->run("INSERT INTO schema_version (one, version) VALUES (1, 0) ON CONFLICT (one) DO NOTHING");
  // Whoever has the row of the version locked goes first.
  database_->transaction([&] {
    database_->run("UPDATE schema_version SET version = version WHERE one = 1");
    const int64_t version = number(database_->run("SELECT version FROM schema_version WHERE one = 1").at(0).at(0));
    require(version <= static_cast<int64_t>(kMigrations.size()), ErrorKind::unsupported,
            "the database has version {} of the tables, this program knows {}; use a newer program", version,
            kMigrations.size());
    for (auto next = static_cast<size_t>(version); next < kMigrations.size(); ++next) {
      for (const char* statement : kMigrations[next]) database_->run(statement);
    }
    database_->run("UPDATE schema_version SET version = $1 WHERE one = 1", {static_cast<int64_t>(kMigrations.size())});
  });
}

std::vector<Conversation> ConversationStore::list(const std::string& owner, int64_t most, int64_t skipped) {
  std::vector<Conversation> conversations;
  for (const SqlRow& row : database_->run("SELECT id, title, created_s, updated_s, (SELECT COUNT(*) FROM messages "
                                          "WHERE conversation = conversations.id) FROM conversations "
                                          "WHERE owner = $1 ORDER BY updated_s DESC, id LIMIT $2 OFFSET $3",
                                          {owner, most, skipped})) {
    conversations.push_back({.id = text(row[0]),
                             .title = text(row[1]),
                             .created_s = number(row[2]),
                             .updated_s = number(row[3]),
                             .message_count = number(row[4])});
  }
  return conversations;
}

std::optional<Conversation> ConversationStore::get(const std::string& owner, const std::string& id) {
  std::optional<Conversation> found;
  database_->transaction([&] {
    const std::vector<SqlRow> rows = database_->run(
        "SELECT title, created_s, updated_s FROM conversations WHERE id = $1 AND owner = $2", {id, owner});
    if (rows.empty()) return;
    found = Conversation{
        .id = id, .title = text(rows[0][0]), .created_s = number(rows[0][1]), .updated_s = number(rows[0][2])};
    for (const SqlRow& row : database_->run(
             "SELECT id, role, content, created_s FROM messages WHERE conversation = $1 ORDER BY position", {id})) {
      found->messages.push_back({text(row[0]), text(row[1]), text(row[2]), number(row[3])});
    }
    found->message_count = static_cast<int64_t>(found->messages.size());
  });
  return found;
}

bool ConversationStore::put(const std::string& owner, const std::string& id, const std::string& title) {
  // Without effect, and without a row, where the id is another owner's.
  return !database_
              ->run(
                  "INSERT INTO conversations (id, owner, title, created_s, updated_s) VALUES ($1, $2, $3, $4, $4) ON "
                  "CONFLICT (id) DO UPDATE SET "
                  "title = excluded.title, updated_s = excluded.updated_s WHERE conversations.owner = excluded.owner "
                  "RETURNING id",
                  {id, owner, title, static_cast<int64_t>(std::time(nullptr))})
              .empty();
}

bool ConversationStore::put_message(const std::string& owner, const std::string& id, const StoredMessage& message) {
  bool done = false;
  database_->transaction([&] {
    // Touching the conversation locks it, so that two messages at once get different positions.
    if (database_
            ->run("UPDATE conversations SET updated_s = $3 WHERE id = $1 AND owner = $2 RETURNING id",
                  {id, owner, message.created_s})
            .empty())
      return;
    database_->run(
        "INSERT INTO messages (conversation, id, position, role, content, created_s) VALUES ($1, $2, (SELECT "
        "COALESCE(MAX(position), 0) + 1 FROM "
        "messages WHERE conversation = $1), $3, $4, $5) ON CONFLICT (conversation, id) DO UPDATE SET role = "
        "excluded.role, content = excluded.content",
        {id, message.id, message.role, message.content, message.created_s});
    done = true;
  });
  return done;
}

bool ConversationStore::remove(const std::string& owner, const std::string& id) {
  return !database_->run("DELETE FROM conversations WHERE id = $1 AND owner = $2 RETURNING id", {id, owner}).empty();
}

bool ConversationStore::remove_message(const std::string& owner, const std::string& id, const std::string& message) {
  return !database_
              ->run(
                  "DELETE FROM messages WHERE conversation = $1 AND id = $3 AND EXISTS (SELECT 1 FROM conversations "
                  "WHERE conversations.id = $1 AND owner = $2) "
                  "RETURNING id",
                  {id, owner, message})
              .empty();
}

}  // namespace sensorium::server
