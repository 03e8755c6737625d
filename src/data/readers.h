// The readers behind the table of formats, one function each.
#pragma once

#include <string_view>

#include "data/dataset.h"

namespace sensorium::data::detail {

std::unique_ptr<Dataset> open_json_lines(const std::filesystem::path& path, const DatasetOptions& options);
std::unique_ptr<Dataset> open_json_list(const std::filesystem::path& path, const DatasetOptions& options);
std::unique_ptr<Dataset> open_plain_text(const std::filesystem::path& path, const DatasetOptions& options);
std::unique_ptr<Dataset> open_class_folders(const std::filesystem::path& path, const DatasetOptions& options);

// For content_hash. FNV-1a with a final mix, so that the low digits are as good as the high ones.
uint64_t hash_text(std::string_view text);

}  // namespace sensorium::data::detail
