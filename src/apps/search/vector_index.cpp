#include "apps/search/vector_index.h"

#include <hnswlib/hnswlib.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "base/file.h"

namespace sensorium::apps {
namespace {

// Links of a vector in each layer (twice as many in the lowest), and candidates while it is linked: hnswlib's own defaults.
constexpr size_t kLinks = 16, kBuildCandidates = 200, kSeed = 100;
constexpr size_t kLeastRoom = 1024;
constexpr size_t kLeastCandidates = 128, kCandidatesPerAnswer = 4;
// So few vectors are compared one by one: that is exact, and as fast.
constexpr size_t kCompareAll = 2000;
// hnswlib's file begins with six sizes: where the lowest layer lies, room, vectors, bytes of one, and two offsets in it.
struct FileHead {
  uint64_t offset, room, count, bytes, label_offset, data_offset;
};

using Hnsw = hnswlib::HierarchicalNSW<float>;

}  // namespace

struct VectorIndex::Graph {
  explicit Graph(int64_t dim_) : dim(dim_), space(static_cast<size_t>(dim_)) {}

  // The mark of what is not found, inside the vector's own list of links.
  bool is_removed(hnswlib::tableint place) const { return hnsw->isMarkedDeleted(place); }
  const float* data(hnswlib::tableint place) const {
    return reinterpret_cast<const float*>(hnsw->getDataByInternalId(place));
  }
  float cosine(const float* a, const float* b) const { return 1.0f - hnsw->fstdistfunc_(a, b, hnsw->dist_func_param_); }

  int64_t dim;
  hnswlib::InnerProductSpace space;
  std::unique_ptr<Hnsw> hnsw;
};

VectorIndex::VectorIndex(int64_t dim) : graph_(std::make_unique<Graph>(dim)) {
  require(dim > 0, ErrorKind::shape, "an index of vectors of {} numbers", dim);
  graph_->hnsw = std::make_unique<Hnsw>(&graph_->space, kLeastRoom, kLinks, kBuildCandidates, kSeed);
}

VectorIndex::~VectorIndex() = default;
VectorIndex::VectorIndex(VectorIndex&&) noexcept = default;
VectorIndex& VectorIndex::operator=(VectorIndex&&) noexcept = default;

VectorIndex VectorIndex::load(const std::filesystem::path& path, int64_t dim) {
  std::error_code code;
  const uintmax_t size = std::filesystem::file_size(path, code);
  require(!code, ErrorKind::not_found, "{}: no such file", path.string());
  VectorIndex index(dim);
  FileHead head{};
  std::ifstream(path, std::ios::binary).read(reinterpret_cast<char*>(&head), sizeof(head));
  const uint64_t expected =
      (2 * kLinks + 1) * sizeof(uint32_t) + static_cast<uint64_t>(dim) * sizeof(float) + sizeof(size_t);
  require(size > sizeof(head) && head.bytes == expected && head.count <= size / expected, ErrorKind::invalid_data,
          "{}: is no index of vectors of {} numbers, or is cut off", path.string(), dim);
  try {
    index.graph_->hnsw =
        std::make_unique<Hnsw>(&index.graph_->space, path.string(), false, std::max<size_t>(head.count, kLeastRoom));
  } catch (const std::bad_alloc&) {
    fail(ErrorKind::limit, "{}: {} vectors need more memory than there is", path.string(), head.count);
  } catch (const std::runtime_error& error) {
    fail(ErrorKind::invalid_data, "{}: {}", path.string(), error.what());
  }
  // hnswlib counts from whatever the memory held.
  Hnsw& hnsw = *index.graph_->hnsw;
  hnsw.num_deleted_ = 0;
  for (size_t i = 0; i < hnsw.cur_element_count; ++i) {
    hnsw.num_deleted_ += hnsw.isMarkedDeleted(static_cast<hnswlib::tableint>(i)) ? 1 : 0;
  }
  return index;
}

void VectorIndex::save(const std::filesystem::path& path) const {
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  try {
    graph_->hnsw->saveIndex(temporary.string());
  } catch (const std::runtime_error& error) {
    fail(ErrorKind::io, "{}: {}", path.string(), error.what());
  }
  const size_t expected = graph_->hnsw->cur_element_count * graph_->hnsw->size_data_per_element_;
  std::error_code code;
  // hnswlib does not look whether its writing succeeded.
  const bool whole = std::filesystem::file_size(temporary, code) >= expected && !code;
  if (whole) std::filesystem::rename(temporary, path, code);
  require(whole && !code, ErrorKind::io, "{}: cannot be written (is the disk full?)", path.string());
  sync_folder(path.parent_path());
}

int64_t VectorIndex::size() const {
  return static_cast<int64_t>(graph_->hnsw->cur_element_count) - static_cast<int64_t>(graph_->hnsw->num_deleted_);
}
int64_t VectorIndex::removed() const { return static_cast<int64_t>(graph_->hnsw->num_deleted_); }

bool VectorIndex::contains(int64_t id) const {
  const auto found = graph_->hnsw->label_lookup_.find(static_cast<size_t>(id));
  return found != graph_->hnsw->label_lookup_.end() && !graph_->is_removed(found->second);
}

void VectorIndex::add(int64_t id, std::span<const float> vector) {
  require(static_cast<int64_t>(vector.size()) == graph_->dim, ErrorKind::shape,
          "a vector of {} numbers into an index of {}", vector.size(), graph_->dim);
  Hnsw& hnsw = *graph_->hnsw;
  if (!hnsw.label_lookup_.contains(static_cast<size_t>(id)) && hnsw.cur_element_count == hnsw.max_elements_) {
    hnsw.resizeIndex(hnsw.max_elements_ + std::max(kLeastRoom, hnsw.max_elements_ / 4));
  }
  hnsw.addPoint(vector.data(), static_cast<size_t>(id));
}

void VectorIndex::remove(int64_t id) {
  if (!contains(id)) return;
  graph_->hnsw->markDelete(static_cast<size_t>(id));
}

std::vector<int64_t> VectorIndex::ids() const {
  std::vector<int64_t> all;
  for (const auto& [label, place] : graph_->hnsw->label_lookup_) {
    if (!graph_->is_removed(place)) all.push_back(static_cast<int64_t>(label));
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<float> VectorIndex::vector(int64_t id) const {
  require(contains(id), ErrorKind::not_found, "the index has no vector {}", id);
  const float* data = graph_->data(graph_->hnsw->label_lookup_.at(static_cast<size_t>(id)));
  return {data, data + graph_->dim};
}

std::vector<Neighbour> VectorIndex::search(std::span<const float> query, size_t count) const {
  require(static_cast<int64_t>(query.size()) == graph_->dim, ErrorKind::shape,
          "a query of {} numbers for an index of {}", query.size(), graph_->dim);
  Hnsw& hnsw = *graph_->hnsw;
  std::vector<Neighbour> found;
  const auto nearer = [](const Neighbour& a, const Neighbour& b) {
    return a.cosine != b.cosine ? a.cosine > b.cosine : a.id < b.id;
  };
  if (count == 0 || size() == 0) return found;
  if (static_cast<size_t>(size()) > kCompareAll) {
    hnsw.setEf(std::max(kLeastCandidates, kCandidatesPerAnswer * count));
    auto queue = hnsw.searchKnn(query.data(), count);
    for (; !queue.empty(); queue.pop()) {
      found.push_back({static_cast<int64_t>(queue.top().second), 1.0f - queue.top().first});
    }
    std::sort(found.begin(), found.end(), nearer);
    return found;
  }
  for (const auto& [label, place] : hnsw.label_lookup_) {
    const auto id = static_cast<int64_t>(label);
    if (graph_->is_removed(place)) continue;
    found.push_back({id, graph_->cosine(query.data(), graph_->data(place))});
  }
  const size_t kept = std::min(count, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(kept), found.end(), nearer);
  found.resize(kept);
  return found;
}

}  // namespace sensorium::apps
