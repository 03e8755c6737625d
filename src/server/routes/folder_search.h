// The folder that a server searches: its index, kept up to date between the answers of models, and its files.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "apps/search/folder_index.h"
#include "server/routes/embed_task.h"
#include "server/scheduling/scheduler.h"

namespace sensorium::server {

struct FolderSearchOptions {
  std::filesystem::path folder;  // "": nothing is searched
  std::filesystem::path place;   // of the index; "": .sensorium-index in the folder
  std::string model;             // of the server's, with a joint space
};

class FolderSearch {
 public:
  explicit FolderSearch(FolderSearchOptions options);

  const std::string& model() const { return options_.model; }
  const std::filesystem::path& folder() const { return options_.folder; }
  // Reads what the folder has, behind the requests of clients; nothing if that is being done already. Thread-safe.
  void read_in_background(Scheduler& scheduler);

  // These are for tasks, on the scheduler's thread.
  // Opens the index if it is not, and looks for new files if that was not done just now. Throws ApiError.
  void prepare(const std::shared_ptr<const models::Model>& model);
  // Reads a few files; true: none is left.
  bool read_some();
  std::vector<apps::FoundFile> search(std::span<const float> query, size_t count,
                                      const std::vector<models::InputSense>& senses) const;
  int64_t size() const { return index_->size(); }
  int64_t unread() const { return unread_; }

 private:
  class Reading;

  FolderSearchOptions options_;
  std::atomic<bool> reading_{false};            // in the background
  std::shared_ptr<const models::Model> model_;  // which the index belongs to
  std::unique_ptr<apps::FolderIndex> index_;
  int64_t unread_ = 0;  // files of the last look
  Clock::time_point looked_{};
};

}  // namespace sensorium::server
