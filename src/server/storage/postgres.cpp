#include <fmt/format.h>
#include <libpq-fe.h>

#include <array>
#include <charconv>
#include <cstring>
#include <mutex>

#include "base/error.h"
#include "server/storage/database.h"

namespace sensorium::server {
namespace {

constexpr Oid kInt2 = 21, kInt4 = 23, kInt8 = 20;  // pg_type.dat

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Outcome = std::unique_ptr<PGresult, decltype(&PQclear)>;

// libpq ends its messages with a line break, and begins them with where they come from.
std::string one_line(const char* message) {
  std::string text = message;
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

class Postgres : public Database {
 public:
  explicit Postgres(std::string url) : url_(std::move(url)), connection_(nullptr, PQfinish) { connect(); }

  std::vector<SqlRow> run(std::string_view sql, std::span<const SqlValue> values) override {
    const std::lock_guard lock(mutex_);
    if (!in_transaction_ && PQstatus(connection_.get()) != CONNECTION_OK) connect();
    try {
      return run_once(sql, values);
    } catch (const Error&) {
      // The database may have been started anew since the last statement; inside a transaction the earlier ones are gone.
      if (in_transaction_ || PQstatus(connection_.get()) == CONNECTION_OK) throw;
      connect();
      return run_once(sql, values);
    }
  }

  void transaction(const std::function<void()>& work) override {
    const std::lock_guard lock(mutex_);
    Database::run("BEGIN");
    in_transaction_ = true;
    try {
      work();
      run_once("COMMIT", {});
      in_transaction_ = false;
    } catch (...) {
      in_transaction_ = false;
      if (PQstatus(connection_.get()) == CONNECTION_OK) run_once("ROLLBACK", {});
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
  void connect() {
    const std::array<const char*, 4> names = {"dbname", "connect_timeout", "application_name", nullptr};
    const std::array<const char*, 4> values = {url_.c_str(), "5", "sensorium", nullptr};
    connection_.reset(PQconnectdbParams(names.data(), values.data(), 1));
    // The address may hold a password: it is not repeated.
    require(PQstatus(connection_.get()) == CONNECTION_OK, ErrorKind::io,
            "the PostgreSQL database cannot be reached: {}", one_line(PQerrorMessage(connection_.get())));
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);
  }

  std::vector<SqlRow> run_once(std::string_view sql, std::span<const SqlValue> values) {
    std::vector<std::string> texts(values.size());
    std::vector<const char*> pointers(values.size(), nullptr);
    for (size_t i = 0; i < values.size(); ++i) {
      if (std::holds_alternative<std::monostate>(values[i])) continue;
      const auto* number = std::get_if<int64_t>(&values[i]);
      texts[i] = number != nullptr ? std::to_string(*number) : std::get<std::string>(values[i]);
      pointers[i] = texts[i].c_str();
    }
    const Outcome outcome(PQexecParams(connection_.get(), std::string(sql).c_str(), static_cast<int>(values.size()),
                                       nullptr, pointers.data(), nullptr, nullptr, 0),
                          PQclear);
    const ExecStatusType status = PQresultStatus(outcome.get());
    require(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK, ErrorKind::io, "the database failed: {}",
            one_line(PQerrorMessage(connection_.get())));
    std::vector<SqlRow> rows(static_cast<size_t>(PQntuples(outcome.get())));
    for (size_t i = 0; i < rows.size(); ++i) {
      for (int column = 0; column < PQnfields(outcome.get()); ++column)
        rows[i].push_back(read_value(outcome.get(), static_cast<int>(i), column));
    }
    return rows;
  }

  static SqlValue read_value(const PGresult* result, int row, int column) {
    if (PQgetisnull(result, row, column) != 0) return {};
    const std::string text(PQgetvalue(result, row, column), static_cast<size_t>(PQgetlength(result, row, column)));
    const Oid type = PQftype(result, column);
    if (type != kInt2 && type != kInt4 && type != kInt8) return text;
    int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  }

  std::string url_;
  Connection connection_;
  bool in_transaction_ = false;
  std::recursive_mutex mutex_;  // the statements of a transaction lock it again
};

}  // namespace

std::unique_ptr<Database> open_postgres(const std::string& url) { return std::make_unique<Postgres>(url); }

std::unique_ptr<Database> open_database(const std::string& address) {
  if (address.starts_with("postgresql://") || address.starts_with("postgres://")) return open_postgres(address);
  return open_sqlite(address);
}

}  // namespace sensorium::server
