#include "apps/search/store.h"

#include <sqlite3.h>

#include "base/error.h"

namespace sensorium::apps {
namespace {

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS files (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, sense TEXT NOT "
    "NULL,"
    " bytes INTEGER NOT NULL, modified_ns INTEGER NOT NULL, fault TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS pending (id INTEGER PRIMARY KEY, vector BLOB NOT NULL);";

}  // namespace

// One prepared statement; values are bound in their order, from 1.
class IndexStore::Statement {
 public:
  Statement(const IndexStore& store, const char* sql) : store_(store) {
    check(sqlite3_prepare_v2(store.database_, sql, -1, &statement_, nullptr));
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int64_t value) { return check(sqlite3_bind_int64(statement_, ++bound_, value)), *this; }
  Statement& bind(const std::string& value) {
    check(sqlite3_bind_text(statement_, ++bound_, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT));
    return *this;
  }
  Statement& bind(std::span<const float> value) {
    check(
        sqlite3_bind_blob(statement_, ++bound_, value.data(), static_cast<int>(value.size_bytes()), SQLITE_TRANSIENT));
    return *this;
  }
  // Whether there is a row.
  bool step() {
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_ROW && code != SQLITE_DONE) check(code);
    return code == SQLITE_ROW;
  }
  int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return data == nullptr ? std::string()
                           : std::string(data, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
  }
  std::vector<float> floats(int column) const {
    const auto* data = static_cast<const float*>(sqlite3_column_blob(statement_, column));
    const auto count = static_cast<size_t>(sqlite3_column_bytes(statement_, column)) / sizeof(float);
    return count == 0 ? std::vector<float>() : std::vector<float>(data, data + count);
  }

 private:
  void check(int code) const {
    if (code == SQLITE_OK) return;
    const bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
    fail(damaged ? ErrorKind::invalid_data : ErrorKind::io, "{}: {}", store_.path_, sqlite3_errmsg(store_.database_));
  }

  const IndexStore& store_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

IndexStore::IndexStore(const std::filesystem::path& path) : path_(path.string()) {
  const int code = sqlite3_open(path_.c_str(), &database_);
  if (code != SQLITE_OK) {
    const std::string message = database_ != nullptr ? sqlite3_errmsg(database_) : "out of memory";
    sqlite3_close(database_);
    fail(ErrorKind::io, "{}: {}", path_, message);
  }
  try {
    // One more process may wait for a writer; pages of removed vectors go back to the disk.
    sqlite3_busy_timeout(database_, 10'000);
    run("PRAGMA auto_vacuum=FULL; PRAGMA synchronous=FULL;");
    run(kSchema);
  } catch (...) {
    sqlite3_close(database_);
    throw;
  }
}

IndexStore::~IndexStore() { sqlite3_close(database_); }

void IndexStore::run(const char* sql) {
  const int code = sqlite3_exec(database_, sql, nullptr, nullptr, nullptr);
  const bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
  require(code == SQLITE_OK, damaged ? ErrorKind::invalid_data : ErrorKind::io, "{}: {}", path_,
          sqlite3_errmsg(database_));
}

std::optional<std::string> IndexStore::get(const std::string& key) const {
  Statement statement(*this, "SELECT value FROM meta WHERE key = ?");
  return statement.bind(key).step() ? std::optional(statement.text(0)) : std::nullopt;
}

void IndexStore::set(const std::string& key, const std::string& value) {
  Statement(*this, "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)").bind(key).bind(value).step();
}

std::map<std::string, IndexedFile> IndexStore::files() const {
  std::map<std::string, IndexedFile> all;
  Statement statement(*this, "SELECT id, path, sense, bytes, modified_ns, fault FROM files");
  while (statement.step()) {
    IndexedFile file{statement.number(0), statement.text(1),   statement.text(2),
                     statement.number(3), statement.number(4), statement.text(5)};
    all.emplace(file.path, file);
  }
  return all;
}

std::optional<IndexedFile> IndexStore::file(int64_t id) const {
  Statement statement(*this, "SELECT id, path, sense, bytes, modified_ns, fault FROM files WHERE id = ?");
  if (!statement.bind(id).step()) return std::nullopt;
  return IndexedFile{statement.number(0), statement.text(1),   statement.text(2),
                     statement.number(3), statement.number(4), statement.text(5)};
}

int64_t IndexStore::put(const IndexedFile& file, std::span<const float> vector) {
  // A changed file gets a new id, so that no graph takes its old vector for the new one.
  Statement(*this, "DELETE FROM pending WHERE id IN (SELECT id FROM files WHERE path = ?)").bind(file.path).step();
  Statement(*this, "DELETE FROM files WHERE path = ?").bind(file.path).step();
  Statement(*this, "INSERT INTO files (path, sense, bytes, modified_ns, fault) VALUES (?, ?, ?, ?, ?)")
      .bind(file.path)
      .bind(file.sense)
      .bind(file.bytes)
      .bind(file.modified_ns)
      .bind(file.fault)
      .step();
  const int64_t id = sqlite3_last_insert_rowid(database_);
  if (!vector.empty()) Statement(*this, "INSERT INTO pending (id, vector) VALUES (?, ?)").bind(id).bind(vector).step();
  return id;
}

void IndexStore::remove(int64_t id) {
  Statement(*this, "DELETE FROM pending WHERE id = ?").bind(id).step();
  Statement(*this, "DELETE FROM files WHERE id = ?").bind(id).step();
}

void IndexStore::for_each_pending(
    const std::function<void(int64_t id, const std::string& sense, std::span<const float> vector)>& visit) const {
  Statement statement(*this,
                      "SELECT pending.id, files.sense, pending.vector FROM pending JOIN files ON files.id = pending.id "
                      "ORDER BY pending.id");
  while (statement.step()) visit(statement.number(0), statement.text(1), statement.floats(2));
}

void IndexStore::clear_pending() { run("DELETE FROM pending"); }

void IndexStore::transaction(const std::function<void()>& change) {
  run("BEGIN IMMEDIATE");
  try {
    change();
    run("COMMIT");
  } catch (...) {
    sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
    throw;
  }
}

}  // namespace sensorium::apps
