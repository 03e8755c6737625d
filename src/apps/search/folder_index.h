// A folder of mixed media as vectors that are found again: texts, pictures, films, sounds. Reading goes on where it stopped, however
// it stopped; files that have changed are read again, files that are gone are forgotten.
//
// On disk: index.db (store.h) and one graph per sense, <sense>.hnsw. New vectors stand in the database until the graph that holds
// them is saved.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/search/store.h"
#include "apps/search/vector_index.h"
#include "base/file.h"
#include "models/embedding/embedder.h"
#include "models/model.h"

namespace sensorium::apps {

// What tells a model's vectors from another one's: a hash over its description and parts of every parameter.
std::string model_fingerprint(const models::Model& model);

struct FoundFile {
  std::string path;  // relative to the folder
  std::string sense;
  float cosine = 0;
};

class FolderIndex {
 public:
  struct Update {
    int64_t read = 0, removed = 0, kept = 0;
    std::vector<std::pair<std::string, std::string>> faults;  // files that could not be read now, and why
  };
  // done of all that are new or changed; the file that was read last.
  using Progress = std::function<void(int64_t done, int64_t all, const std::string& path)>;

  // The index of `folder` in `place`, which is made. Throws Error: not_found, io, usage (it was written by another model: the
  // message says which; or another process has it open), invalid_data (damaged: delete it).
  FolderIndex(std::filesystem::path folder, const std::filesystem::path& place, const models::Model& model,
              const std::string& model_name);
  ~FolderIndex();

  // Reads what is new. Throws as the embedder does, but for files that cannot be read, which are remembered with the reason and
  // tried again when they change; interrupted (what was read is kept).
  Update update(const Progress& progress = {});
  // The same in parts, for those who have other things to do in between: looks for what is new or has changed, and forgets what is
  // gone; how many files there are to read.
  int64_t begin_update();
  // Reads at most `most_files` of them; true: none is left, and all that was read is saved.
  bool update_part(size_t most_files);
  // What begin_update() and update_part() did since the former.
  const Update& last_update() const { return pending_.update; }
  // The nearest files of the given senses (of all, where there is none), nearest first; `query` f32 [dim], of any length.
  std::vector<FoundFile> search(const Tensor& query, size_t count,
                                const std::vector<models::InputSense>& senses = {}) const;

  int64_t size() const;
  int64_t bytes() const;  // of the index on disk

 private:
  struct Candidate {
    std::filesystem::path file;
    IndexedFile row;
    models::InputSense sense;
  };
  // An update that goes on.
  struct Pending {
    std::vector<Candidate> files;
    size_t next = 0;         // of the files
    int64_t since_save = 0;  // files
    Update update;
  };
  std::vector<Candidate> find_changes(Update& update);
  void read_batch(const std::vector<Candidate>& batch, Update& update);
  void save();
  VectorIndex& graph(const std::string& sense);

  std::filesystem::path folder_, place_;
  const models::Embedder& embedder_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<IndexStore> store_;
  std::map<std::string, VectorIndex> graphs_;
  std::map<std::string, bool> changed_;
  Pending pending_;
};

}  // namespace sensorium::apps
