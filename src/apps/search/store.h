// What an index of a folder remembers beside the vectors: which model made it, and of every file when it was read. An SQLite
// database, which a crash leaves as it was before the last transaction or after it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

struct sqlite3;

namespace sensorium::apps {

struct IndexedFile {
  int64_t id = 0;
  std::string path;  // relative to the folder, with /
  std::string sense;
  int64_t bytes = 0, modified_ns = 0;
  std::string fault;  // why it has no vector; "": it has one
};

class IndexStore {
 public:
  // Opens the database, or makes it. Throws Error with the path: io, invalid_data.
  explicit IndexStore(const std::filesystem::path& path);
  ~IndexStore();
  IndexStore(const IndexStore&) = delete;
  IndexStore& operator=(const IndexStore&) = delete;

  std::optional<std::string> get(const std::string& key) const;
  void set(const std::string& key, const std::string& value);

  std::map<std::string, IndexedFile> files() const;  // by path
  std::optional<IndexedFile> file(int64_t id) const;
  // Inserts or changes the row of the path and keeps the file's vector until the graph is saved. Returns the id.
  int64_t put(const IndexedFile& file, std::span<const float> vector);
  void remove(int64_t id);

  // Vectors that no saved graph has yet.
  void for_each_pending(
      const std::function<void(int64_t id, const std::string& sense, std::span<const float> vector)>& visit) const;
  void clear_pending();

  // All that `change` does is kept, or nothing.
  void transaction(const std::function<void()>& change);

 private:
  class Statement;
  void run(const char* sql);

  std::string path_;
  sqlite3* database_ = nullptr;
};

}  // namespace sensorium::apps
