// A relational database: SQLite inside the process, or PostgreSQL (libpq). Statements are written so that both understand them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sensorium::server {

using SqlValue = std::variant<std::monostate, int64_t, std::string>;  // NULL, a number, a text
using SqlRow = std::vector<SqlValue>;

// Thread-safe: one statement or transaction at a time. All throw Error(io): the database is down, the disk is full.
class Database {
 public:
  virtual ~Database() = default;
  // One statement; $1, $2 ... stand for the values. Returns its rows.
  virtual std::vector<SqlRow> run(std::string_view sql, std::span<const SqlValue> values) = 0;
  std::vector<SqlRow> run(std::string_view sql, std::initializer_list<SqlValue> values = {}) {
    return run(sql, std::span(values.begin(), values.size()));
  }
  // All of `work`, or nothing if it throws.
  virtual void transaction(const std::function<void()>& work) = 0;
  // Whether it answers.
  virtual bool alive() = 0;
};

// Made if it is missing. Write-ahead log, every transaction flushed to the disk.
std::unique_ptr<Database> open_sqlite(const std::filesystem::path& file);
// "postgresql://user@host/name". Connects again by itself after the database was down.
std::unique_ptr<Database> open_postgres(const std::string& url);
// By the address: postgresql:// or postgres://, else a file of SQLite.
std::unique_ptr<Database> open_database(const std::string& address);

}  // namespace sensorium::server
