// Data sets on disk: records by index, parsed when asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/record.h"

namespace sensorium::data {

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  // Thread-safe; 0 <= index < size(). Throws Error(invalid_data) that names file, line and fault.
  virtual Record get(int64_t index) const = 0;
  // Where the record stands, as its `where`: "file:line".
  virtual std::string where(int64_t index) const = 0;
  // Identifies the record's content: for splits that do not change when records are added or the files move.
  virtual uint64_t content_hash(int64_t index) const = 0;
};

// Training and tuning parts of a data set: `validation_fraction` of the records, chosen by the hash of their content, are not
// trained on.
bool in_validation_part(const Dataset& dataset, int64_t index, double validation_fraction);

struct DatasetOptions {
  // The folder that relative media paths start from; empty: the folder of the data set's file.
  std::filesystem::path media_root;
};

// A line of the table of formats (registry.cpp). The first that fits reads the data set.
struct DatasetFormat {
  std::string_view name;  // as people call it
  // `head` is the beginning of the file after white space and byte order mark, "" for a folder.
  bool (*fits)(const std::filesystem::path& path, std::string_view head);
  std::unique_ptr<Dataset> (*open)(const std::filesystem::path& path, const DatasetOptions& options);
};
std::span<const DatasetFormat> dataset_formats();

// JSON lines (.jsonl), a JSON list (.json), plain text (.txt: paragraphs), or a folder with one folder of pictures per
// class. Throws Error: not_found, unsupported (no format fits), invalid_data.
std::unique_ptr<Dataset> open_dataset(const std::filesystem::path& path, const DatasetOptions& options = {});

// A fault of one record. The list ends after `max_faults`.
struct Fault {
  std::string where, what;
};
struct ValidationReport {
  int64_t records = 0, pictures = 0, faulty = 0;  // faulty: records with a fault
  std::vector<Fault> faults;                      // in the order of the records
  std::map<std::string, int64_t>
      ignored_fields;  // fields that no reader knows, with the number of records that have them
};
// How far the validator looks into pictures: a header says size and format, only decoding finds damage in the pixels.
enum class PictureCheck : uint8_t { header, decode };
// Looks at every record: whether it parses, its media files exist and can be read, boxes lie inside, counts agree with
// boxes, answers are not empty. Runs on all threads. Throws as open_dataset, and interrupted.
ValidationReport validate_dataset(const std::filesystem::path& path, size_t max_faults = 1000,
                                  PictureCheck pictures = PictureCheck::header, const DatasetOptions& options = {});

}  // namespace sensorium::data
