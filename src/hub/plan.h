// What to download, from where, and what it must be: the files of one model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace sensorium::hub {

struct PlanFile {
  std::string path;  // inside of the model's folder, '/' between names
  std::string url;
  std::optional<uint64_t> bytes;
  std::string sha256;  // "": not known
};

struct FetchPlan {
  std::string model, licence;
  std::vector<PlanFile> files;

  uint64_t known_bytes() const;  // of the files whose size is known
};

// Reads {"model": "..", "licence": "..", "files": [{"path": "..", "url": "..", "bytes": N, "sha256": ".."}]}; bytes and
// sha256 may be missing. Throws Error(invalid_data) that names `where`: a path that leads out of the folder or stands
// twice, an address that is not http or https, a hash that is none.
FetchPlan parse_plan(const Json& json, const std::string& where);
OrderedJson to_json(const FetchPlan& plan);

// Throws Error(invalid_data) unless `path` names a file below the folder that it is joined to: no "..", no root, no empty
// name, no control characters or backslashes, and none of the names that an unfinished download has (".part").
void require_inner_path(const std::string& path, const std::string& where);

}  // namespace sensorium::hub
