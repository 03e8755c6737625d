#include "text/registry.h"

#include "text/tokenizer_json.h"

namespace sensorium::text {
namespace {

constexpr TokenizerFormat kFormats[] = {
    {"Hugging Face tokenizer.json (BPE)", "tokenizer.json", read_tokenizer_json},
};

}  // namespace

std::span<const TokenizerFormat> tokenizer_formats() { return kFormats; }

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path) {
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(path, ignored);
  std::string names;
  for (const TokenizerFormat& format : kFormats) {
    const std::filesystem::path file = is_folder ? path / format.file_name : path;
    const bool fits = is_folder ? std::filesystem::exists(file, ignored)
                                : path.extension() == std::filesystem::path(format.file_name).extension();
    if (fits) return format.read(file).value();
    names += fmt::format("{}{}", names.empty() ? "" : ", ", format.file_name);
  }
  fail(ErrorKind::not_found, "{}: no tokenizer found, looked for {}", path.string(), names);
}

}  // namespace sensorium::text
