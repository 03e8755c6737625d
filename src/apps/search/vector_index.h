// Nearest vectors by their cosine, among very many: a graph of neighbours (HNSW, Malkov 2018), by hnswlib.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace sensorium::apps {

struct Neighbour {
  int64_t id = 0;
  float cosine = 0;
};

// Vectors of unit length under ids of the caller's. Not thread-safe.
class VectorIndex {
 public:
  explicit VectorIndex(int64_t dim);
  ~VectorIndex();
  VectorIndex(VectorIndex&&) noexcept;
  VectorIndex& operator=(VectorIndex&&) noexcept;

  // A file that save() wrote. Throws Error with the path: not_found, invalid_data (another dim, cut off), limit.
  static VectorIndex load(const std::filesystem::path& path, int64_t dim);
  // The file appears under its name when it is complete. Throws Error(io).
  void save(const std::filesystem::path& path) const;

  int64_t size() const;     // vectors that are found
  int64_t removed() const;  // vectors that are not, and still take room
  bool contains(int64_t id) const;
  // An id that is there gets the new vector. Throws Error(shape) unless it has dim numbers.
  void add(int64_t id, std::span<const float> vector);
  void remove(int64_t id);
  // All ids that are found.
  std::vector<int64_t> ids() const;
  // The vector of an id that is there.
  std::vector<float> vector(int64_t id) const;

  // The nearest `count`, nearest first. Nearly always the true ones: the graph is followed with a list of candidates four times as
  // long as the answer, at least 128; where few vectors are there, all are compared.
  std::vector<Neighbour> search(std::span<const float> query, size_t count) const;

 private:
  struct Graph;
  std::unique_ptr<Graph> graph_;
};

}  // namespace sensorium::apps
