// Data sets on disk: records by index, parsed when asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/record.h"

namespace sensorium::data {

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  // Thread-safe. Throws Error(invalid_data) that names file, line and fault.
  virtual Record get(int64_t index) const = 0;
  // Identifies the record's content: for splits that do not change when records are added.
  virtual uint64_t content_hash(int64_t index) const = 0;
};

// A line of the table of formats (registry.cpp): `fits` looks at the path alone and at the first bytes.
struct DatasetFormat {
  const char* name;
  bool (*fits)(const std::filesystem::path& path, const std::string& head);
  std::unique_ptr<Dataset> (*open)(const std::filesystem::path& path);
};

// JSON lines (.jsonl), a JSON list (.json), plain text (.txt: paragraphs), or a folder with one folder of pictures per class.
// Throws Error: not_found, unsupported (no format fits), invalid_data.
std::unique_ptr<Dataset> open_dataset(const std::filesystem::path& path);

// A fault of one record. The list ends after `max_faults`.
struct Fault {
  std::string where, what;
};
struct ValidationReport {
  int64_t records = 0, pictures = 0, faulty = 0;
  std::vector<Fault> faults;
};
// Looks at every record: whether it parses, its pictures exist and can be read (headers only), boxes lie inside, counts agree
// with boxes, answers are not empty.
ValidationReport validate_dataset(const std::filesystem::path& path, size_t max_faults = 1000);

}  // namespace sensorium::data
