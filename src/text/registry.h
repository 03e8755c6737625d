// The tokenizer files that can be read. To add one: a reader, and a line in registry.cpp.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "base/error.h"
#include "text/tokenizer.h"

namespace sensorium::text {

struct TokenizerFormat {
  std::string_view name;
  std::string_view file_name;  // in a model's folder
  Result<std::unique_ptr<Tokenizer>> (*read)(const std::filesystem::path& path);
};

// In the order in which a model's folder is searched.
std::span<const TokenizerFormat> tokenizer_formats();

// From a model's folder, or from a file. Throws Error: not_found (names the files that were looked for), and what the
// readers return.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path);

}  // namespace sensorium::text
