#include "apps/search/folder_index.h"

#include <algorithm>
#include <cstring>

#include "base/interrupt.h"
#include "base/sha256.h"
#include "models/embedding/load_input.h"
#include "models/embedding/vectors.h"

namespace sensorium::apps {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVersion = "1";
constexpr size_t kBatch = 8;           // files that are embedded together
constexpr int64_t kSaveEvery = 4096;   // files between two saves of the graphs
constexpr double kMostRemoved = 0.25;  // of a graph, before it is made anew
constexpr size_t kHashedBytes = 256;   // of each parameter, at its beginning, middle and end

int64_t modified_ns(const fs::path& path) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(fs::last_write_time(path).time_since_epoch()).count();
}

std::string graph_name(const std::string& sense) { return sense + ".hnsw"; }

}  // namespace

std::string model_fingerprint(const models::Model& model) {
  Sha256 hash;
  OrderedJson described = model.describe();
  described.erase("name");  // of the folder, which may be moved
  hash.update(described.dump());
  const auto add = [&](const std::string& name, const void* data, size_t bytes) {
    hash.update(fmt::format("{} {};", name, bytes));
    const size_t part = std::min(bytes, kHashedBytes);
    for (const size_t at : {size_t{0}, (bytes - part) / 2, bytes - part}) {
      hash.update(std::string_view(static_cast<const char*>(data) + at, part));
    }
  };
  for (const nn::Parameter& parameter : model.store().parameters()) {
    add(parameter.name, parameter.value.raw(), parameter.value.bytes());
  }
  for (const nn::PackedParameter& parameter : model.store().packed()) {
    add(parameter.name, parameter.value.bytes.raw(), parameter.value.bytes.bytes());
  }
  return to_hex(hash.digest());
}

FolderIndex::FolderIndex(fs::path folder, const fs::path& place, const models::Model& model,
                         const std::string& model_name)
    : folder_(std::move(folder)), place_(place), embedder_(*model.embedder()) {
  std::error_code code;
  require(fs::is_directory(folder_, code), ErrorKind::not_found, "{}: no such folder", folder_.string());
  fs::create_directories(place_, code);
  require(!code, ErrorKind::io, "{}: cannot be made ({}); give --index DIR", place_.string(), code.message());
  lock_ = std::make_unique<FileLock>(place_ / "lock");
  require(lock_->held(), ErrorKind::usage, "{}: another process is using the index", place_.string());
  store_ = std::make_unique<IndexStore>(place_ / "index.db");

  const std::string fingerprint = model_fingerprint(model), dim = std::to_string(embedder_.embedding_dim());
  const std::optional<std::string> written = store_->get("fingerprint");
  if (!written) {
    store_->transaction([&] {
      store_->set("version", kVersion);
      store_->set("model", model_name);
      store_->set("fingerprint", fingerprint);
      store_->set("dim", dim);
    });
  } else {
    require(store_->get("version") == kVersion, ErrorKind::usage,
            "{}: an index of another version of this program; delete the folder, and it is made again",
            place_.string());
    require(
        *written == fingerprint, ErrorKind::usage,
        "{}: was made with the model {} ({} numbers a vector), whose vectors say nothing to {} ({} numbers); give that "
        "model, another --index, or delete the folder",
        place_.string(), store_->get("model").value_or("?"), store_->get("dim").value_or("?"), model_name, dim);
  }
  for (const models::InputSense sense : models::kSenses) {
    const std::string name(name_of(sense));
    if (fs::exists(place_ / graph_name(name), code)) {
      graphs_.emplace(name, VectorIndex::load(place_ / graph_name(name), embedder_.embedding_dim()));
    }
  }
  // Vectors that were kept before a stop and are in no saved graph.
  store_->for_each_pending([&](int64_t id, const std::string& sense, std::span<const float> vector) {
    graph(sense).add(id, vector);
    changed_[sense] = true;
  });
  // Vectors of a saved graph whose files were forgotten, or read again, before a stop.
  std::map<std::string, std::vector<int64_t>> known;
  for (const auto& [path, row] : store_->files()) {
    if (row.fault.empty()) known[row.sense].push_back(row.id);
  }
  for (auto& [sense, index] : graphs_) {
    std::vector<int64_t>& ids = known[sense];
    std::sort(ids.begin(), ids.end());
    for (const int64_t id : index.ids()) {
      if (std::binary_search(ids.begin(), ids.end(), id)) continue;
      index.remove(id);
      changed_[sense] = true;
    }
    require(index.size() == static_cast<int64_t>(ids.size()), ErrorKind::invalid_data,
            "{}: {} vectors for {} files; the index is damaged: delete the folder, and it is made again",
            (place_ / graph_name(sense)).string(), index.size(), ids.size());
    known.erase(sense);
  }
  for (const auto& [sense, ids] : known) {
    require(ids.empty(), ErrorKind::invalid_data, "{}: is missing; delete the index's folder, and it is made again",
            (place_ / graph_name(sense)).string());
  }
}

FolderIndex::~FolderIndex() = default;

VectorIndex& FolderIndex::graph(const std::string& sense) {
  return graphs_.try_emplace(sense, embedder_.embedding_dim()).first->second;
}

std::vector<FolderIndex::Candidate> FolderIndex::find_changes(Update& update) {
  std::map<std::string, IndexedFile> known = store_->files();
  const std::vector<models::InputSense> senses = embedder_.senses();
  std::vector<Candidate> changes;
  const auto options = fs::directory_options::skip_permission_denied;
  for (auto entry = fs::recursive_directory_iterator(folder_, options); entry != fs::recursive_directory_iterator();
       ++entry) {
    check_interrupted();
    if (entry->path().filename().string().starts_with('.')) {
      if (entry->is_directory()) entry.disable_recursion_pending();
      continue;
    }
    std::error_code code;
    const std::optional<models::InputSense> sense = models::sense_of_file(entry->path());
    if (!sense || std::ranges::find(senses, *sense) == senses.end() || !entry->is_regular_file(code)) continue;
    IndexedFile row{.path = entry->path().lexically_relative(folder_).generic_string(),
                    .sense = std::string(name_of(*sense)),
                    .bytes = static_cast<int64_t>(entry->file_size(code)),
                    .modified_ns = modified_ns(entry->path())};
    const auto found = known.find(row.path);
    const bool same =
        found != known.end() && found->second.bytes == row.bytes && found->second.modified_ns == row.modified_ns;
    if (same) {
      ++update.kept;
      known.erase(found);
      continue;
    }
    if (found != known.end()) --update.removed;  // what stands there now is read below
    changes.push_back({entry->path(), row, *sense});
  }
  // Rows go before the vectors do: a graph may hold vectors without rows after a stop, but no row may lack its vector.
  store_->transaction([&] {
    for (const auto& [path, row] : known) {
      store_->remove(row.id);
      if (row.fault.empty()) {
        graph(row.sense).remove(row.id);
        changed_[row.sense] = true;
      }
      ++update.removed;
    }
  });
  std::ranges::sort(changes, {}, [](const Candidate& c) { return std::pair(c.sense, c.row.path); });
  return changes;
}

void FolderIndex::read_batch(const std::vector<Candidate>& batch, Update& update) {
  std::vector<models::EmbedInput> inputs;
  std::vector<IndexedFile> rows;
  const auto refuse = [&](IndexedFile row, const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw error;
    row.fault = error.message();
    update.faults.emplace_back(row.path, row.fault);
    store_->transaction([&] { store_->put(row, {}); });
  };
  for (const Candidate& candidate : batch) {
    try {
      inputs.push_back(models::load_input(candidate.file, candidate.sense));
      rows.push_back(candidate.row);
    } catch (const Error& error) {
      refuse(candidate.row, error);
    }
  }
  const auto keep = [&](const Tensor& vectors, size_t begin, size_t end) {
    store_->transaction([&] {
      for (size_t i = begin; i < end; ++i) {
        const auto row = static_cast<int64_t>(i - begin);
        const Tensor one = vectors.slice(row, row + 1);
        graph(rows[i].sense).add(store_->put(rows[i], one.span<float>()), one.span<float>());
        changed_[rows[i].sense] = true;
        ++update.read;
      }
    });
  };
  if (inputs.empty()) return;
  try {
    keep(models::unit_rows(embedder_.embed(inputs)), 0, inputs.size());
  } catch (const Error& together) {
    if (together.kind() == ErrorKind::interrupted || together.kind() == ErrorKind::io) throw;
    // One of them cannot be prepared: each by itself.
    for (size_t i = 0; i < inputs.size(); ++i) {
      try {
        keep(models::unit_rows(embedder_.embed({&inputs[i], 1})), i, i + 1);
      } catch (const Error& error) {
        refuse(rows[i], error);
      }
    }
  }
}

int64_t FolderIndex::begin_update() {
  pending_ = {};
  pending_.files = find_changes(pending_.update);
  if (pending_.files.empty()) save();
  return static_cast<int64_t>(pending_.files.size());
}

bool FolderIndex::update_part(size_t most_files) {
  const std::vector<Candidate>& files = pending_.files;
  const size_t begin = pending_.next;
  if (begin == files.size()) return true;
  size_t end = begin + 1;
  while (end < files.size() && end - begin < most_files && files[end].sense == files[begin].sense) ++end;
  read_batch({files.begin() + static_cast<std::ptrdiff_t>(begin), files.begin() + static_cast<std::ptrdiff_t>(end)},
             pending_.update);
  pending_.next = end;
  pending_.since_save += static_cast<int64_t>(end - begin);
  if (end == files.size() || pending_.since_save >= kSaveEvery) {
    save();
    pending_.since_save = 0;
  }
  return end == files.size();
}

FolderIndex::Update FolderIndex::update(const Progress& progress) {
  const int64_t all = begin_update();
  try {
    for (bool over = all == 0; !over;) {
      check_interrupted();
      over = update_part(kBatch);
      if (progress) progress(static_cast<int64_t>(pending_.next), all, pending_.files[pending_.next - 1].row.path);
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) save();
    throw;
  }
  return pending_.update;
}

void FolderIndex::save() {
  bool any = false;
  for (const auto& [sense, changed] : changed_) {
    if (!changed) continue;
    any = true;
    VectorIndex& index = graph(sense);
    if (static_cast<double>(index.removed()) > kMostRemoved * static_cast<double>(index.size() + index.removed())) {
      VectorIndex fresh(embedder_.embedding_dim());
      for (const int64_t id : index.ids()) fresh.add(id, index.vector(id));
      index = std::move(fresh);
    }
    index.save(place_ / graph_name(sense));
  }
  changed_.clear();
  if (any) store_->transaction([&] { store_->clear_pending(); });
}

std::vector<FoundFile> FolderIndex::search(const Tensor& query, size_t count,
                                           const std::vector<models::InputSense>& senses) const {
  const Tensor unit = models::unit_rows(query.reshape({1, query.elements()}));
  std::vector<std::pair<Neighbour, std::string>> nearest;
  for (const auto& entry : graphs_) {
    const std::string& sense = entry.first;
    const bool wanted =
        senses.empty() || std::ranges::any_of(senses, [&](models::InputSense s) { return name_of(s) == sense; });
    if (!wanted) continue;
    for (const Neighbour& neighbour : entry.second.search(unit.span<float>(), count))
      nearest.emplace_back(neighbour, sense);
  }
  std::ranges::stable_sort(nearest, [](const auto& a, const auto& b) { return a.first.cosine > b.first.cosine; });
  if (nearest.size() > count) nearest.resize(count);
  std::vector<FoundFile> found;
  for (const auto& [neighbour, sense] : nearest) {
    if (const std::optional<IndexedFile> row = store_->file(neighbour.id)) {
      found.push_back({row->path, sense, neighbour.cosine});
    }
  }
  return found;
}

int64_t FolderIndex::size() const {
  int64_t all = 0;
  for (const auto& [sense, index] : graphs_) all += index.size();
  return all;
}

int64_t FolderIndex::bytes() const {
  int64_t all = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(place_)) {
    std::error_code code;
    if (entry.is_regular_file(code)) all += static_cast<int64_t>(entry.file_size(code));
  }
  return all;
}

}  // namespace sensorium::apps
