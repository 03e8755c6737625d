#include <fmt/format.h>
#include <sqlite3.h>

#include <mutex>

#include "base/error.h"
#include "server/storage/database.h"

namespace sensorium::server {
namespace {

class Sqlite : public Database {
 public:
  explicit Sqlite(const std::filesystem::path& file) {
    const int code = sqlite3_open_v2(file.c_str(), &handle_,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nullptr);
    if (code != SQLITE_OK) {
      const std::string reason = sqlite3_errstr(code);
      sqlite3_close(handle_);
      fail(ErrorKind::io, "{}: the database cannot be opened: {}", file.string(), reason);
    }
    sqlite3_busy_timeout(handle_, 10'000);
    try {
      Database::run("PRAGMA journal_mode = WAL");
      Database::run("PRAGMA synchronous = FULL");
      Database::run("PRAGMA foreign_keys = ON");
      Database::run("PRAGMA trusted_schema = OFF");
    } catch (const Error& error) {
      sqlite3_close(handle_);
      throw error.with_context(file.string());
    }
  }
  ~Sqlite() override { sqlite3_close(handle_); }
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  std::vector<SqlRow> run(std::string_view sql, std::span<const SqlValue> values) override {
    const std::lock_guard lock(mutex_);
    sqlite3_stmt* raw = nullptr;
    check(sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &raw, nullptr));
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(raw, sqlite3_finalize);
    for (size_t i = 0; i < values.size(); ++i) {
      // "$1" is a name here; a statement need not use every value.
      const int index = sqlite3_bind_parameter_index(raw, fmt::format("${}", i + 1).c_str());
      if (index > 0) bind(raw, index, values[i]);
    }
    std::vector<SqlRow> rows;
    for (int code; (code = sqlite3_step(raw)) != SQLITE_DONE;) {
      if (code != SQLITE_ROW) check(code);
      rows.push_back(read_row(raw));
    }
    return rows;
  }

  void transaction(const std::function<void()>& work) override {
    const std::lock_guard lock(mutex_);
    Database::run("BEGIN IMMEDIATE");
    try {
      work();
      Database::run("COMMIT");
    } catch (...) {
      // Some faults (a full disk) have ended it already.
      if (sqlite3_get_autocommit(handle_) == 0) Database::run("ROLLBACK");
      throw;
    }
  }

  bool alive() override {
    try {
      return !Database::run("SELECT 1").empty();
    } catch (const Error&) {
      return false;
    }
  }

 private:
  void check(int code) const {
    require(code == SQLITE_OK, ErrorKind::io, "the database failed: {}", sqlite3_errmsg(handle_));
  }

  void bind(sqlite3_stmt* statement, int index, const SqlValue& value) const {
    if (const auto* number = std::get_if<int64_t>(&value)) {
      check(sqlite3_bind_int64(statement, index, *number));
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      check(sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_TRANSIENT, SQLITE_UTF8));
    } else {
      check(sqlite3_bind_null(statement, index));
    }
  }

  static SqlRow read_row(sqlite3_stmt* statement) {
    SqlRow row;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      switch (sqlite3_column_type(statement, i)) {
        case SQLITE_NULL:
          row.emplace_back();
          break;
        case SQLITE_INTEGER:
          row.emplace_back(static_cast<int64_t>(sqlite3_column_int64(statement, i)));
          break;
        default: {
          const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
          row.emplace_back(std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement, i))));
        }
      }
    }
    return row;
  }

  sqlite3* handle_ = nullptr;
  std::recursive_mutex mutex_;  // the statements of a transaction lock it again
};

}  // namespace

std::unique_ptr<Database> open_sqlite(const std::filesystem::path& file) { return std::make_unique<Sqlite>(file); }

}  // namespace sensorium::server
