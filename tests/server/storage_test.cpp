// The same tests on SQLite and, where a server of PostgreSQL is given (SENSORIUM_TEST_POSTGRES=postgresql://...), on that.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/error.h"
#include "server/storage/conversations.h"

namespace sensorium::server {
namespace {

class Storage : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string(GetParam()) == "sqlite") {
      address_ = testing::TempDir() + "storage_" + std::to_string(getpid()) + ".db";
      for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(address_ + end);
      return;
    }
    const char* given = std::getenv("SENSORIUM_TEST_POSTGRES");
    if (given == nullptr) GTEST_SKIP() << "SENSORIUM_TEST_POSTGRES names no PostgreSQL database";
    // Tables of its own, as tests run beside one another.
    address_ = given;
    schema_ = "test_" + std::to_string(getpid());
    const auto database = open_database(address_);
    database->run("DROP SCHEMA IF EXISTS " + schema_ + " CASCADE");
    database->run("CREATE SCHEMA " + schema_);
    address_ += (address_.find('?') == std::string::npos ? "?" : "&") + ("options=-csearch_path%3D" + schema_);
  }
  void TearDown() override {
    if (!schema_.empty()) open_database(address_)->run("DROP SCHEMA " + schema_ + " CASCADE");
  }
  std::unique_ptr<ConversationStore> open() const {
    return std::make_unique<ConversationStore>(open_database(address_));
  }

  std::string address_, schema_;
};

StoredMessage message(const std::string& id, const std::string& content) {
  return {.id = id, .role = "user", .content = content, .created_s = 5};
}

TEST_P(Storage, KeepsConversationsOfTheirOwners) {
  {
    const auto store = open();
    EXPECT_TRUE(store->put("ann", "a", "first; DROP TABLE messages; --"));
    EXPECT_FALSE(store->put("bob", "a", "stolen"));
    EXPECT_FALSE(store->put_message("bob", "a", message("m", "x")));
    EXPECT_TRUE(store->put_message("ann", "a", message("m1", "\"eins ä 😀 ' \\u0000\"")));
    EXPECT_TRUE(store->put_message("ann", "a", message("m2", "2")));
    EXPECT_TRUE(store->put_message("ann", "a", message("m1", "1")));
  }
  const auto store = open();
  const auto found = store->get("ann", "a");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->title, "first; DROP TABLE messages; --");
  ASSERT_EQ(found->messages.size(), 2U);
  EXPECT_EQ(found->messages[0].content, "1");
  EXPECT_EQ(found->messages[1].id, "m2");
  EXPECT_FALSE(store->get("bob", "a"));
  EXPECT_TRUE(store->list("bob", 10, 0).empty());
  EXPECT_EQ(store->list("ann", 10, 0).at(0).message_count, 2);
  EXPECT_FALSE(store->remove_message("bob", "a", "m1"));
  EXPECT_TRUE(store->remove_message("ann", "a", "m1"));
  EXPECT_FALSE(store->remove("bob", "a"));
  EXPECT_TRUE(store->remove("ann", "a"));
  EXPECT_FALSE(store->get("ann", "a"));
  // Its messages are gone with it.
  EXPECT_TRUE(store->put("ann", "a", "again"));
  EXPECT_TRUE(store->get("ann", "a")->messages.empty());
}

TEST_P(Storage, ServersAtOnceLoseNothing) {
  std::vector<std::thread> threads;
  open()->put("ann", "a", "");
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const auto store = open();
      for (int i = 0; i < 10; ++i)
        EXPECT_TRUE(store->put_message("ann", "a", message(std::to_string(t) + "-" + std::to_string(i), "x")));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(open()->get("ann", "a")->messages.size(), 40U);
}

TEST_P(Storage, TransactionsAreAllOrNothing) {
  const auto database = open_database(address_);
  database->run("CREATE TABLE IF NOT EXISTS schema_version (one BIGINT PRIMARY KEY, version BIGINT NOT NULL)");
  EXPECT_THROW(database->transaction([&] {
    database->run("INSERT INTO schema_version (one, version) VALUES ($1, $2)", {int64_t{7}, int64_t{1}});
    database->run("INSERT INTO nowhere (x) VALUES (1)");
  }),
               Error);
  EXPECT_TRUE(database->run("SELECT one FROM schema_version WHERE one = 7").empty());
  EXPECT_TRUE(database->alive());
}

TEST_P(Storage, NewerTablesAreRefused) {
  { const auto store = open(); }
  open_database(address_)->run("UPDATE schema_version SET version = 1000 WHERE one = 1");
  EXPECT_THROW(open(), Error);
}

// What a conversation was told to be kept is kept, whatever happens to the process in the middle of the next write.
TEST_P(Storage, KillingTheProcessLosesNothing) {
  open()->put("ann", "a", "");
  int kept = 0;
  for (int round = 0; round < 50; ++round) {
    int told[2];
    ASSERT_EQ(pipe(told), 0);
    const pid_t child = fork();
    if (child == 0) {
      const auto store = open();
      for (int i = 0;; ++i) {
        if (!store->put_message("ann", "a",
                                message(std::to_string(round) + "-" + std::to_string(i), std::string(20'000, 'x'))))
          _exit(1);
        if (write(told[1], "x", 1) != 1) _exit(1);
      }
    }
    close(told[1]);
    char byte;
    for (int i = 0; i <= round % 3 && read(told[0], &byte, 1) == 1; ++i) ++kept;
    usleep(static_cast<useconds_t>(round * 37 % 1000));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    while (read(told[0], &byte, 1) == 1) ++kept;
    close(told[0]);
  }
  const auto messages = open()->get("ann", "a")->messages;
  EXPECT_GE(static_cast<int>(messages.size()), kept);
  EXPECT_LE(static_cast<int>(messages.size()), kept + 50);  // one a round may have been written and not told of
  for (const StoredMessage& one : messages) ASSERT_EQ(one.content.size(), 20'000U);
  if (std::string(GetParam()) == "sqlite") {
    const auto rows = open_database(address_)->run("PRAGMA integrity_check");
    EXPECT_EQ(std::get<std::string>(rows.at(0).at(0)), "ok");
  }
}

INSTANTIATE_TEST_SUITE_P(Databases, Storage, ::testing::Values("sqlite", "postgres"),
                         [](const auto& chosen) { return std::string(chosen.param); });

TEST(StorageFaults, AreErrors) {
  EXPECT_THROW(open_database("/nowhere/at/all.db"), Error);
  EXPECT_THROW(open_database("postgresql://127.0.0.1:1/none"), Error);
  const std::string file = testing::TempDir() + "no_database.db";
  std::filesystem::remove(file);
  {
    FILE* out = std::fopen(file.c_str(), "w");
    std::fputs(std::string(5000, 'x').c_str(), out);
    std::fclose(out);
  }
  EXPECT_THROW(ConversationStore(open_database(file)), Error);
}

}  // namespace
}  // namespace sensorium::server
